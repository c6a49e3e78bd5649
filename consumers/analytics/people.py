"""Sets of people per owner (a post, a school) and school day: exact, and mergeable, which counts of people are not.

The unique viewers of a week are not the sum of those of its days; the union of the days' sets has them exactly. People
get small numbers (table `people`), a day's people are a roaring bitmap of numbers, and a second bitmap tells the hours
of that day apart, so that a window may begin inside a day. Adding somebody twice changes nothing; who has nothing left
in a day is taken out again. Which facts these sets stand for is `view_facts.py`'s and `activity_facts.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from pyroaring import BitMap

from consumers.analytics.layout import Layout
from runtime.arrays import integers, texts
from runtime.postgres import Connection, fetch_rows

#: Numbers of people are below this bit, the hour of the day (0 to 25) is above it.
HOUR_BIT: Final = 27
_PERSON: Final = (1 << HOUR_BIT) - 1
_HOURS: Final = range(26)
_MARKS: Final = 1 << 32
#: Up to so many are added one by one; a list has to become a set first.
_FEW: Final = 20


#: One set: whose (a post, a school), and the day's start in seconds since 1970.
Key = tuple[str, int]


class DayOfPeople:
    """The people of one day, and those of each hour of it."""

    __slots__ = ("by_hour", "people")

    def __init__(self, people: bytes | None = None, by_hour: bytes | None = None) -> None:
        self.people = BitMap.deserialize(people) if people else BitMap()
        self.by_hour = BitMap.deserialize(by_hour) if by_hour else BitMap()

    def add(self, marks: Sequence[int]) -> None:
        """Marks are `mark(hour, person)`."""
        if len(marks) > _FEW:
            self.by_hour.update(marks)
            self.people.update([one & _PERSON for one in marks])
            return
        for one in marks:
            self.by_hour.add(one)
            self.people.add(one & _PERSON)

    def remove(self, person: int) -> None:
        """From the day and all its hours."""
        self.people.discard(person)
        for hour in _HOURS:
            self.by_hour.discard(mark(hour, person))

    def in_hour(self, hour: int) -> int:
        """How many people that hour has."""
        return int(self.by_hour.range_cardinality(mark(hour, 0), mark(hour + 1, 0)))

    def between(self, first: int, until: int) -> BitMap:
        """The people of these hours of the day; hours before the day's first are none."""
        first, until = max(first, 0), max(min(until, len(_HOURS)), 0)
        rest = self.by_hour.copy()
        rest.remove_range(mark(until, 0), _MARKS)
        people = BitMap()
        for hour in range(first, until):  # whole containers are dropped and moved: nobody is looked at
            rest.remove_range(0, mark(hour, 0))
            chosen = rest.copy()
            chosen.remove_range(mark(hour + 1, 0), _MARKS)
            people |= chosen.shift(-mark(hour, 0))
        return people


def mark(hour: int, person: int) -> int:
    """A person in an hour of the day."""
    return hour << HOUR_BIT | person


class PeopleSets:
    """The sets of one table (`post_people` or `school_people`) of a generation."""

    def __init__(self, layout: Layout, owner: str) -> None:
        self._sql = {
            name: text.replace("{owner}", owner) for name, text in layout.statements("people").items()
        }

    async def load(self, conn: Connection, keys: Sequence[Key]) -> dict[Key, DayOfPeople]:
        """The sets of those of these days that have one."""
        if not keys:
            return {}
        cursor = await conn.execute(self._sql["load"], _key_params(keys), binary=True)
        rows = await cursor.fetchall()
        return {keys[ordinal - 1]: DayOfPeople(people, by_hour) for ordinal, people, by_hour in rows}

    async def save(self, conn: Connection, days: Mapping[Key, DayOfPeople]) -> None:
        """Write these sets, those of nobody too."""
        if not days:
            return
        raw = [(day.people.serialize(), day.by_hour.serialize()) for day in days.values()]
        params: dict[str, Any] = _key_params(list(days))
        params["people"] = integers(len(people) for people, _ in raw)
        params["by_hour"] = integers(len(by_hour) for _, by_hour in raw)
        params["ends"] = integers(accumulate(len(people) + len(by_hour) for people, by_hour in raw))
        params["blob"] = b"".join(people + by_hour for people, by_hour in raw)
        await conn.execute(self._sql["save"], params)

    async def clear(self, conn: Connection, keys: Sequence[Key]) -> None:
        """These days have no set any more."""
        if keys:
            await conn.execute(self._sql["clear"], _key_params(keys))


class Numbers:
    """The numbers of people, remembered between batches once they are committed."""

    _MOST: Final = 200_000

    def __init__(self, layout: Layout) -> None:
        self._sql = layout.statements("people")
        self._known: dict[str, int] = {}

    async def of(self, conn: Connection, users: Collection[str]) -> dict[str, int]:
        """The number of each of these people; who has none yet gets one."""
        known = self._known
        numbers = {user: known[user] for user in users if user in known}
        missing = [user for user in users if user not in numbers]
        if missing:
            params = {"users": texts(missing)}
            numbers.update(await fetch_rows(conn, self._sql["numbers"], params))
            missing = [user for user in missing if user not in numbers]
        if missing:
            numbers.update(await fetch_rows(conn, self._sql["enrol"], {"users": texts(missing)}))
        return numbers

    def remember(self, numbers: Mapping[str, int], *, but: Iterable[str] = ()) -> None:
        """To be called after the commit: numbers given in a transaction that failed were never given."""
        if len(self._known) + len(numbers) > self._MOST:
            self._known.clear()
        self._known.update(numbers)
        for erased in but:
            self._known.pop(erased, None)

    def forget(self) -> None:
        """The table is another one now."""
        self._known.clear()


def _key_params(keys: Sequence[Key]) -> dict[str, str]:
    return {"owners": texts(owner for owner, _ in keys), "days": integers(day for _, day in keys)}
