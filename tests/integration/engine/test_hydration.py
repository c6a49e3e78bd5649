"""Rows are read for an event only when its transaction is visible, however early the log told of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from consumers.engine.hydration import wait_until_visible
from runtime.errors import Retryable
from runtime.postgres import open_pool
from schemas.envelope import Event


def _event(xid: int) -> Event:
    return Event(1, xid, datetime.now(UTC), "post", "post.created.v1", "p", {})


async def test_waits_for_a_transaction_that_others_cannot_see_yet(database: str) -> None:
    with psycopg.connect(database) as writer:
        row = writer.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        async with open_pool(database) as pool, pool.connection() as conn:
            with pytest.raises(Retryable):
                await wait_until_visible(conn, [_event(row[0])], timeout=0.05)
            waiting = asyncio.create_task(wait_until_visible(conn, [_event(3), _event(row[0])]))
            await asyncio.wait([waiting], timeout=0.05)
            assert not waiting.done()
            writer.commit()
            await asyncio.wait_for(waiting, 5)


async def test_a_transaction_of_another_life_of_the_cluster_is_not_waited_for(database: str) -> None:
    async with open_pool(database) as pool, pool.connection() as conn:
        await asyncio.wait_for(wait_until_visible(conn, [_event(2**40 + 5)]), 1)
