"""An owner is cut off in mid-import, another takes over, and then the old bytes arrive (I7): the truth wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from consumers.engine.options import Options
from consumers.engine.runner import Runner
from consumers.search.checkpoint import LATE_SECONDS
from consumers.search.projection import SearchProjection
from consumers.search.store import Typesense, open_typesense
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.search.conftest import everything
from tests.support.holding import holding_proxy
from tests.support.network import Network
from tests.support.wait import until

FAST = Options(log_poll=0.02, upkeep=0.1, checkpoint=0.1, lease=1.5, backoff_first=0.01, backoff_most=0.05)


@asynccontextmanager
async def running(projection: SearchProjection, pool: Pool) -> AsyncIterator[None]:
    """A process that keeps the index from the log."""
    stop = asyncio.Event()
    task = asyncio.create_task(Runner(projection, pool, None, options=FAST).run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await task


async def test_bytes_of_a_former_owner_arrive_after_the_takeover(
    network: Network, settings: Settings, pool: Pool, store: Typesense, connection: psycopg.Connection
) -> None:
    async def contents() -> dict[str, Any]:
        return {one["key"]: one["content"] for one in (await everything(store, settings))["posts"]}

    now = 0.0
    async with holding_proxy(settings.typesense_port) as (proxy, port):
        through_proxy = settings.model_copy(update={"typesense_port": port})
        async with open_typesense(through_proxy, timeout=30) as held_store:
            former = SearchProjection(held_store, pool, settings.stream_prefix)
            async with running(former, pool):
                await until(lambda: _owner(connection) and _live(connection), 20)
                proxy.hold = b"old words"
                with connection.transaction():
                    kept = network.post("teacher", "old words")
                    gone = network.post("teacher", "old words of what will be deleted")
                await asyncio.wait_for(proxy.held.wait(), 20)
                assert await contents() == {}
                network.change("posts", kept, content="new words")
                network.delete("posts", gone)
                connection.execute("UPDATE engine.leases SET expires_at = '-infinity', owner = 'paused'")
                successor = SearchProjection(store, pool, settings.stream_prefix, clock=lambda: now)
                async with running(successor, pool):
                    await until(lambda: _is({kept: "new words"}, contents), 20)
                    proxy.release()
                    await asyncio.wait_for(proxy.arrived.wait(), 20)
                    overwritten = {kept: "old words", gone: "old words of what will be deleted"}
                    await until(lambda: _is(overwritten, contents), 20, what="the danger is real")
                    now = LATE_SECONDS + 1
                    await until(lambda: _is({kept: "new words"}, contents), 20, what="mended")


async def _is(expected: dict[str, Any], contents: Any) -> bool:
    found: dict[str, Any] = await contents()
    if found != expected:
        raise AssertionError(found)
    return True


def _owner(conn: psycopg.Connection) -> bool:
    row = conn.execute("SELECT owner IS NOT NULL FROM engine.leases WHERE consumer = 'search'").fetchone()
    return row is not None and row[0]


def _live(conn: psycopg.Connection) -> bool:
    row = conn.execute("SELECT state FROM engine.checkpoints WHERE consumer = 'search'").fetchone()
    return row == ("live",)
