"""Who there is: every role, in schools and classes. Their rows are made in `people_rows.py`.

The first people of a school are its staff, so that the smallest network has all that the visibility rules speak of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from producers.synthetic.lexicon import Subject, lexicon
from producers.synthetic.size import Size

_FIRST_ROLES: Final = (
    "PRINCIPAL", "TEACHER", "STUDENT", "STUDENT", "TEACHER", "ADMIN", "STUDENT", "PARENT", "VICE_PRINCIPAL", "STAFF",
)  # fmt: skip
_CLASS_SIZE: Final = 30


@dataclass(frozen=True)
class Person:
    """One user, with what the rest of the network asks about them."""

    number: int
    role: str
    school: int | None
    classes: tuple[int, ...]
    subjects: tuple[Subject, ...]


class People:
    """Everybody, and their schools and classes."""

    def __init__(self, size: Size) -> None:
        self.size = size

    @cached_property
    def everybody(self) -> list[Person]:
        """All users; number 0 is the SUPER_ADMIN, every 25th belongs to no school."""
        cycle = [school for last in range(self.size.schools, 0, -1) for school in range(last)]
        counts = [0] * self.size.schools
        people = [Person(0, "SUPER_ADMIN", None, (), self._subjects(0))]
        for number in range(1, self.size.users):
            if number % 25 == 24:
                people.append(Person(number, "TEACHER", None, (), self._subjects(number)))
                continue
            school = cycle[(number - 1) % len(cycle)]
            people.append(Person(number, _role(counts[school]), school, (), self._subjects(number)))
            counts[school] += 1
        return self._with_classes(people)

    @cached_property
    def class_schools(self) -> list[int]:
        """The school of every class."""
        return [school for school in range(self.size.schools) for _ in range(self._classes_per_school)]

    def with_role(self, *roles: str, school: int | None = None) -> list[Person]:
        """Those of some role, in one school or in all."""
        return [
            person
            for person in self.everybody
            if person.role in roles and (school is None or person.school == school)
        ]

    def teaching(self) -> list[Person]:
        """The teachers who belong to a school."""
        return [person for person in self.with_role("TEACHER") if person.school is not None]

    def user_id(self, number: int) -> str:
        """The id of a user."""
        return self.size.id("u", number)

    def school_id(self, number: int | None) -> str | None:
        """The id of a school."""
        return None if number is None else self.size.id("s", number)

    def student_id(self, person: Person) -> str | None:
        """The id of somebody's row in students."""
        return self.size.id("n", person.number) if person.role == "STUDENT" else None

    def teacher_id(self, person: Person) -> str | None:
        """The id of somebody's row in teachers."""
        teaches = person.role == "TEACHER" and person.school is not None
        return self.size.id("t", person.number) if teaches else None

    def names(self, number: int) -> tuple[str, str, str, str]:
        """First and last name, in Khmer and in Latin letters."""
        rng = self.size.random("name", number)
        last, english_last = rng.choice(lexicon().people["family"])
        first, english_first = rng.choice(lexicon().people["given"])
        return first, last, english_first, english_last

    @property
    def _classes_per_school(self) -> int:
        students = self.size.users * 2 // 3 // self.size.schools
        return max(2, -(-students // _CLASS_SIZE))

    def _subjects(self, number: int) -> tuple[Subject, ...]:
        return tuple(self.size.random("subjects", number).sample(lexicon().subjects, 3))

    def _with_classes(self, people: list[Person]) -> list[Person]:
        places: dict[tuple[int, str], int] = {}
        return [self._in_classes(person, places) for person in people]

    def _in_classes(self, person: Person, places: dict[tuple[int, str], int]) -> Person:
        if person.school is None or person.role not in {"STUDENT", "TEACHER"}:
            return person
        count = self._classes_per_school
        place = places.get((person.school, person.role), 0)
        places[person.school, person.role] = place + 1
        wanted = 1 if person.role == "STUDENT" else min(3, count)
        classes = tuple(person.school * count + (place + step) % count for step in range(wanted))
        return replace(person, classes=classes)


def _role(place: int) -> str:
    if place < len(_FIRST_ROLES):
        return _FIRST_ROLES[place]
    return {0: "TEACHER", 6: "PARENT"}.get(place % 12, "STUDENT")
