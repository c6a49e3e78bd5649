"""Who can see a post, and which of them are the keen readers: whoever views, likes or answers is drawn from here."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from producers.synthetic.people import People, Person

Ints = NDArray[np.int64]

EVERYBODY: Final = -1
NOBODY: Final = -2


class Audiences:
    """Numbered groups of people: everybody, each school, each class."""

    def __init__(self, people: People, generator: np.random.Generator) -> None:
        self._schools = people.size.schools
        groups: dict[int, list[int]] = {EVERYBODY: []}
        for person in people.everybody:
            for group in (EVERYBODY, *self._groups(person)):
                groups.setdefault(group, []).append(person.number)
        self._members = {group: generator.permutation(np.array(members)) for group, members in groups.items()}

    def of_post(self, visibility: str, author: Person) -> int:
        """The group that sees a post of this author."""
        if visibility == "PRIVATE":
            return NOBODY
        if visibility == "PUBLIC" or author.school is None:
            return EVERYBODY
        return author.school if visibility == "SCHOOL" else self._class(author.classes[0])

    def draw(self, groups: Ints, generator: np.random.Generator) -> Ints:
        """One member for each group; some members turn up far more often than others."""
        drawn = np.zeros(len(groups), dtype=np.int64)
        keenness = generator.random(len(groups)) ** 2.5
        for group in np.unique(groups):
            where, members = groups == group, self._members[int(group)]
            drawn[where] = members[(keenness[where] * len(members)).astype(np.int64)]
        return drawn

    def members(self, group: int) -> Ints:
        """The members of a group, the keenest first."""
        return self._members[group]

    def _groups(self, person: Person) -> list[int]:
        school = [] if person.school is None else [person.school]
        return school + [self._class(number) for number in person.classes]

    def _class(self, number: int) -> int:
        return self._schools + number
