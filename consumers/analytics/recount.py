"""Everything that is counted of facts, made of the facts alone: for fills in bulk, and for comparison.

The writer keeps it batch by batch (view_facts.py, activity_facts.py) and never needs this. Whoever has put facts into
the tables by other means, as a fill does (bulk.py), has them counted stretch by stretch: so many school days at a time
that the facts of a stretch are few enough for one short transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from consumers.analytics.busy import BusyDays
from consumers.analytics.layout import Layout
from consumers.analytics.people import DayOfPeople, PeopleSets
from consumers.analytics.schema import Kind
from runtime.postgres import Connection, fetch_rows

#: Facts of one kind in a stretch; a day that has more is a stretch by itself.
_FACTS: Final = 100_000
_KEPT: Final = ("engagements", "activities")


class Recount:
    """Counts the facts of one generation that nobody reads or writes meanwhile."""

    def __init__(self, layout: Layout, kind: Kind) -> None:
        self._layout = layout
        self._kept = kind is not Kind.COMMUNITY
        self._sql = layout.statements("recount")
        self._busy = BusyDays(layout, kept=self._kept)
        self._schools = PeopleSets(layout, "school")

    async def clear(self, conn: Connection, since: int) -> None:
        """Nothing is counted from this day on (its start, in seconds since 1970)."""
        await conn.execute(self._sql["clear_people"], {"since": since})
        if self._kept:
            await conn.execute(self._sql["clear"], {"since": since})

    async def next_stretch(self, conn: Connection, since: int) -> int | None:
        """Where a stretch ends that begins with this day: at the start of another. None when there are no facts."""
        params = {"since": since, "most": _FACTS}
        [(full, last)] = await fetch_rows(conn, self._sql["next_stretch"], params)
        end: datetime | None = full or last
        grid = self._layout.grid
        return None if end is None else grid.next_day(grid.day_of(end))

    async def count(self, conn: Connection, since: int, until: int) -> None:
        """Count the facts of a stretch, in the caller's transaction."""
        span = {"since": since, "until": until}
        if self._kept:
            for name in _KEPT:
                await conn.execute(self._sql[name], span)
        await conn.execute(self._sql["enrol"], span)
        cursor = await conn.execute(self._sql["members"], span, binary=True)
        await self._schools.save(
            conn, {(school, day): _day(marks) for school, day, marks in await cursor.fetchall()}
        )
        most: dict[str, Any] = {**span, "most": self._layout.busy_from}
        busy = await fetch_rows(conn, self._sql["busy"], most)
        await self._busy.make(conn, [(post, day) for post, day in busy])


async def recount(conn: Connection, layout: Layout) -> None:
    """Everything, in the caller's transaction. Readers wait for it."""
    [(kind,)] = await fetch_rows(conn, layout.statements("store")["kind"])
    counting, since = Recount(layout, Kind(kind)), 0
    await counting.clear(conn, since)
    while (until := await counting.next_stretch(conn, since)) is not None:
        await counting.count(conn, since, until)
        since = until


def _day(marks: list[int]) -> DayOfPeople:
    made = DayOfPeople()
    made.add(marks)
    return made
