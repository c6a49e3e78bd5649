"""A checkpoint is a snapshot: transactions that were open then are still to come, however late they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
import redis
from prometheus_client import REGISTRY

from app import wiring
from app.stack.postgres import Postgres
from runtime.postgres import open_pool
from tests.integration.engine.conftest import Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.relay import relay_settings, running
from tests.support.servers import Running
from tests.support.streams import StepRelay, emit
from tests.support.wait import until

#: What the view and the test write does not wait for a standby.
_LOCAL = "options=-csynchronous_commit%3Dlocal"


@pytest.fixture
def another(database: str) -> Iterator[Callable[[], psycopg.Connection]]:
    """Connections of slow writers."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(psycopg.connect(database))


async def test_transactions_that_overlap_checkpoints_on_streams_and_on_the_log(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    another: Callable[[], psycopg.Connection],
    look: Look,
) -> None:
    """Each writer has its xid and its row before a checkpoint, and commits after it, in another order."""
    writers = [another() for _ in range(5)]
    relay.publish()
    ids = [emit(writers[0], "before the start")]
    async with consume(ledger):
        await until(look.on_streams)
        for number, writer in enumerate(writers[1:4]):
            ids.append(emit(writer, f"slow{number}"))
            ids.append(emit(connection, f"quick{number}"))
            relay.publish()
            await until(look.has(ids[-1]))
        writers[2].commit()
        relay.publish()
        raw.flushall()  # the rest comes from the log, from a checkpoint that was taken on the streams
        relay.forget()
        ids.append(emit(writers[4], "during the log"))
        ids.append(emit(connection, "on the log"))
        await until(look.has(ids[-1]))
        writers[1].commit()
        relay.publish()
    writers[4].commit()
    async with consume(ledger):
        writers[0].commit()
        relay.publish()
        await until(look.on_streams)
        writers[3].commit()
        relay.publish()
        await until(look.has(*ids))
    assert sorted(set(ledger.applied)) == sorted(ids)


@contextmanager
def silent_standby(conn: psycopg.Connection) -> Iterator[None]:
    """Commits are in the log and not visible until the block ends."""
    conn.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    conn.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        conn.execute("ALTER SYSTEM RESET synchronous_standby_names")
        conn.execute("SELECT pg_reload_conf()")


@pytest.fixture
def own_url(own_postgres: Callable[[], Running[Postgres]]) -> str:
    """A migrated database on a server of its own."""
    server = own_postgres().server
    server.create_database("base")
    wiring.migrate(server.url("base"))
    return server.url("base")


async def test_commits_that_the_stream_has_before_anybody_sees_them(
    own_url: str, redis_url: str, consume: Consume
) -> None:
    """Held back by a standby, an event is in the stream and in no snapshot; then the stream is lost."""
    with psycopg.connect(f"{own_url}?{_LOCAL}", autocommit=True) as conn:
        await _held_back(own_url, redis_url, conn, consume)


async def _held_back(url: str, redis_url: str, conn: psycopg.Connection, consume: Consume) -> None:
    look = Look(conn)
    async with open_pool(f"{url}?{_LOCAL}", max_size=8) as pool:
        ledger = LedgerProjection(pool)
        with running(relay_settings(url, redis_url, "wal")), redis.Redis.from_url(redis_url) as raw:
            async with consume(ledger, pool=pool):
                await until(look.on_streams, 20)
                first = emit(conn, "first")
                await until(look.has(first))
                threads = []
                with silent_standby(conn):
                    await until(lambda: _shown(conn) == "nobody")
                    for key in ("a", "b", "c"):
                        threads.append(threading.Thread(target=_write, args=(url, key)))
                        threads[-1].start()
                    await until(lambda: len(set(ledger.applied)) >= 4, 20, what="delivered by the stream")
                    assert {key for (key,) in conn.execute("SELECT key FROM outbox.events")} == {"first"}
                    before = _catch_ups()
                    raw.flushall()  # the log does not show them yet, and the checkpoint must not claim them
                    await until(lambda: _catch_ups() > before, 20, what="it has left the streams")
                for thread in threads:
                    await asyncio.to_thread(thread.join)
                await until(look.on_streams, 20)
                last = emit(conn, "last")
                await until(look.has(last), 20)
    logged = [row[0] for row in conn.execute("SELECT id FROM outbox.events ORDER BY id")]
    assert len(logged) == 5
    assert sorted(set(ledger.applied)) == logged


def _shown(conn: psycopg.Connection) -> str:
    row = conn.execute("SHOW synchronous_standby_names").fetchone()
    assert row
    return str(row[0])


def _catch_ups() -> float:
    return REGISTRY.get_sample_value("stunity_consumer_catch_ups_total", {"consumer": "ledger"}) or 0.0


def _write(url: str, key: str) -> None:
    with psycopg.connect(url) as conn:
        emit(conn, key)
