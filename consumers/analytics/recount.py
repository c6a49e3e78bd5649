"""Roll-ups and sets of views made again from all facts: the long way round, for fills in bulk and for comparison.

The writer keeps them batch by batch (view_facts.py) and never needs this. Whoever has put facts into the tables by
other means, as a bulk load does, calls it once at the end.
"""

from __future__ import annotations

from pyroaring import BitMap

from consumers.analytics.layout import Layout
from consumers.analytics.people import DayOfPeople, PeopleSets
from consumers.analytics.schema import Kind
from runtime.postgres import Connection, fetch_rows

_PAGE = 5_000


async def recount(conn: Connection, layout: Layout) -> None:
    """In the caller's transaction. Readers wait for it: it is for a generation that nobody reads yet."""
    statements = layout.statements("recount")
    [(kind,)] = await fetch_rows(conn, layout.statements("store")["kind"])
    kept = kind != Kind.COMMUNITY
    for name in ("clear", "hourly", "daily") if kept else ("clear_people",):
        await conn.execute(statements[name])
    await conn.execute(statements["enrol"])
    sets = PeopleSets(layout, "post")
    async with conn.cursor(name="marks", binary=True) as cursor:
        cursor.itersize = _PAGE
        await cursor.execute(statements["marks"])
        while rows := await cursor.fetchmany(_PAGE):
            await sets.save(conn, {(post, day): _day(marks) for post, day, marks in rows})


def _day(marks: list[int]) -> DayOfPeople:
    made = DayOfPeople()
    made.add(BitMap(marks).to_array())
    return made
