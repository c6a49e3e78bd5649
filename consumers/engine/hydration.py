"""Reading the truth for an event: never a version of the rows from before the event's own commit.

PostgreSQL writes a commit to its log, where the relay reads it, a moment before other sessions may see it; with a
synchronous standby that moment lasts until the standby answers. A projection that reads rows instead of payloads
calls `wait_until_visible` first, or it would now and then index what was there before and never hear of it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Final

import psycopg

from runtime.errors import Retryable
from runtime.postgres import Connection
from schemas.envelope import Event
from schemas.snapshot import Snapshot

POLL_SECONDS: Final = 0.005


async def wait_until_visible(conn: Connection, events: Iterable[Event], *, timeout: float = 5.0) -> None:
    """Return when statements that start now on any connection see the transactions of all `events`.

    Raises:
        Retryable: one of them is still not visible after `timeout` seconds.
    """
    deadline = monotonic() + timeout
    unseen = await _unseen(conn, {event.xid for event in events})
    if unseen:
        unseen = {xid for xid in unseen if not await _never_begun(conn, xid)}
    while unseen:
        if monotonic() > deadline:
            raise Retryable(
                f"{len(unseen)} transactions are in the log and not yet visible, {min(unseen)} first"
            )
        await asyncio.sleep(POLL_SECONDS)
        unseen = await _unseen(conn, unseen)


async def _unseen(conn: Connection, xids: set[int]) -> set[int]:
    row = await (await conn.execute("SELECT pg_current_snapshot()::text")).fetchone()
    assert row is not None  # a SELECT without FROM always gives one row
    snapshot = Snapshot.parse(row[0])
    return {xid for xid in xids if not snapshot.sees(xid)}


async def _never_begun(conn: Connection, xid: int) -> bool:
    """Whether the id lies in this server's future: the row was restored from a cluster that was ahead."""
    try:
        async with conn.transaction():
            await conn.execute("SELECT pg_xact_status(%s::text::xid8)", (str(xid),))
    except psycopg.errors.InvalidParameterValue:
        return True
    return False
