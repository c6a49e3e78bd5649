"""Busy days: school days of a post whose views are kept as sums and as sets of people.

Most days of most posts see a handful of views. Counting these facts when somebody asks costs no more than reading what
would have been kept of them, and keeping it would cost three rows more for nearly every view. So a day is kept from its
`busy_from`th view on: then its sums and sets are made of its facts once, and `view_facts.py` keeps them up to date. A
day is busy if and only if it has its row in `post_people`; that row alone decides, for writers and for readers
(`quiet.py`). The counts remembered here only say when to look: a wrong one makes a day busy early or late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumers.analytics.layout import Layout
from consumers.analytics.people import DayOfPeople, Key, PeopleSets
from runtime.arrays import integers, texts
from runtime.postgres import Connection, fetch_rows

_MOST: Final = 200_000
#: So many days are made at a time, so that the marks of few of them are in memory.
_PAGE: Final = 500


class BusyDays:
    """The busy days of one generation; `kept`: their sums are tables of ours."""

    def __init__(self, layout: Layout, *, kept: bool) -> None:
        self._grid = layout.grid
        self._from = layout.busy_from
        self._sql = layout.statements("busy")
        self._sets = PeopleSets(layout, "post")
        self._kept = kept
        self._seen: dict[Key, int] = {}

    async def load(self, conn: Connection, days: Sequence[Key]) -> dict[Key, DayOfPeople]:
        """The sets of those of these days that are busy."""
        return await self._sets.load(conn, days)

    async def save(self, conn: Connection, days: Mapping[Key, DayOfPeople]) -> None:
        """Write sets of busy days, those of nobody too."""
        await self._sets.save(conn, days)

    async def rising(self, conn: Connection, new: Mapping[Key, int]) -> list[Key]:
        """Of quiet days that get so many views more (not inserted yet), those that are busy with them."""
        if len(self._seen) > _MOST:
            self._seen.clear()
        seen = self._seen
        unknown = [key for key, count in new.items() if key not in seen and count < self._from]
        if unknown:
            found = await fetch_rows(conn, self._sql["count"], {**self._spans(unknown), "most": self._from})
            seen.update(zip(unknown, (count for (count,) in found), strict=True))
        risen = []
        for key, count in new.items():
            total = seen.pop(key, 0) + count
            if total >= self._from:
                risen.append(key)
            else:
                seen[key] = total
        return risen

    async def make(self, conn: Connection, days: Sequence[Key]) -> None:
        """Make these days busy: everything about them from their facts, which are all there."""
        for start in range(0, len(days), _PAGE):
            page = days[start : start + _PAGE]
            params = self._spans(page)
            for name in ("hours", "days", "enrol") if self._kept else ("enrol",):
                await conn.execute(self._sql[name], params)
            cursor = await conn.execute(self._sql["marks"], params, binary=True)
            made = {page[ordinal - 1]: _day(marks) for ordinal, marks in await cursor.fetchall()}
            await self.save(conn, made)

    def _spans(self, days: Sequence[Key]) -> dict[str, Any]:
        return {
            "owners": texts(post for post, _ in days),
            "days": integers(day for _, day in days),
            "ends": integers(self._grid.next_day(day) for _, day in days),
        }


def _day(marks: list[int] | None) -> DayOfPeople:
    made = DayOfPeople()
    made.add(marks or [])
    return made
