"""Busy days made again from all facts: the long way round, for fills in bulk and for comparison.

The writer keeps them batch by batch (view_facts.py) and never needs this. Whoever has put facts into the tables by
other means, as a bulk load does, calls it once at the end.
"""

from __future__ import annotations

from consumers.analytics.busy import BusyDays
from consumers.analytics.layout import Layout
from consumers.analytics.schema import Kind
from runtime.postgres import Connection, fetch_rows


async def recount(conn: Connection, layout: Layout) -> None:
    """In the caller's transaction. Readers wait for it: it is for a generation that nobody reads yet."""
    statements = layout.statements("busy")
    [(kind,)] = await fetch_rows(conn, layout.statements("store")["kind"])
    kept = kind != Kind.COMMUNITY
    await conn.execute(statements["clear" if kept else "clear_people"])
    busy = await fetch_rows(conn, statements["busy"], {"most": layout.busy_from})
    await BusyDays(layout, kept=kept).make(conn, [(post, day) for post, day in busy])
