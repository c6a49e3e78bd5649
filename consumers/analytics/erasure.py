"""A person leaves the time series: the counts of people, not those of views.

`user.deleted` does the same when it comes down the stream; `forget` is for the command that erases somebody at once, in
every store. Engagement and activity of theirs go (upstream deletes those rows with the person); views stay as nobody's.
"""

from __future__ import annotations

import psycopg

from consumers.analytics.activity_facts import ActivityFacts
from consumers.analytics.facts import Changes
from consumers.analytics.layout import Layout
from consumers.analytics.people import Numbers
from consumers.analytics.refresh import LateBuckets
from consumers.analytics.schema import Kind
from consumers.analytics.view_facts import ViewFacts
from runtime.postgres import Connection, fetch_rows


async def forget(conn: Connection, user_id: str, layout: Layout | None = None) -> bool:
    """Remove a person from facts, roll-ups, sets and the list of people, in one transaction; again changes nothing.

    The connection is to the analytics database and must not be inside a transaction (roll-ups that TimescaleDB keeps
    are refreshed after the commit). False when there are no analytics tables.
    """
    layout = layout or Layout()
    store = layout.statements("store")
    changes = Changes(deleted_users={user_id})
    try:
        async with conn.transaction():
            await conn.execute(store["lock"])
            [(kind,)] = await fetch_rows(conn, store["kind"])
            kept = kind != Kind.COMMUNITY
            if not kept:
                await conn.execute(store["without_limit"])
            numbers = Numbers(layout)
            views = ViewFacts(layout, kept=kept, can_copy=False)
            touched, _ = await views.write(conn, changes, numbers, careful=False)
            hours, _ = await ActivityFacts(layout, kept=kept).write(conn, changes, numbers)
            await conn.execute(store["erase_person"], ([user_id],))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return False
    if not kept:
        late = LateBuckets(layout)
        late.touch(touched | hours)
        await late.refresh(conn)
    return True
