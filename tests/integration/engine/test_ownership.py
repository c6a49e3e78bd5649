"""One owner at a time, takeover after death, and the same effect when a batch is applied twice (I7)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest
import redis

from consumers.engine.lease import Lease, check_generation
from consumers.engine.projection import StaleOwner
from consumers.engine.runner import Runner
from runtime.postgres import Pool
from runtime.redis import Client
from tests.integration.engine.conftest import FAST, Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.streams import StepRelay, emit
from tests.support.wait import ended, until


async def test_one_owner_then_the_other(pool: Pool) -> None:
    first, second = Lease(pool, "x", ttl=30), Lease(pool, "x", ttl=30)
    assert await first.acquire()
    assert not await second.acquire()
    await first.release()
    assert await second.acquire()
    assert second.generation > first.generation


async def test_an_expired_lease_is_taken_over_and_noticed(pool: Pool) -> None:
    first, second = Lease(pool, "x", ttl=0.3), Lease(pool, "x", ttl=30)
    assert await first.acquire()
    await until(second.acquire)
    with pytest.raises(StaleOwner):
        async with asyncio.timeout(5):
            await first.keep()


async def test_a_dead_neighbour_is_succeeded_at_once(pool: Pool, connection: psycopg.Connection) -> None:
    lease = Lease(pool, "x", ttl=600)
    assert await lease.acquire()
    row = connection.execute("SELECT owner FROM engine.leases").fetchone()
    assert row
    neighbourhood, _, started, name = row[0].split(" ")
    unused_pid = 4_194_303
    connection.execute(
        "UPDATE engine.leases SET owner = %s", (f"{neighbourhood} {unused_pid} {started} {name}",)
    )
    assert await Lease(pool, "x", ttl=600).acquire()
    connection.execute("UPDATE engine.leases SET owner = %s", (f"elsewhere {unused_pid} {started} {name}",))
    assert not await Lease(pool, "x", ttl=600).acquire()


async def test_generation_guard(pool: Pool) -> None:
    first, second = Lease(pool, "x", ttl=30), Lease(pool, "x", ttl=30)
    assert await first.acquire()
    async with pool.connection() as conn:
        await check_generation(conn, "x", first.generation)
    await first.release()
    assert await second.acquire()
    async with pool.connection() as conn:
        with pytest.raises(StaleOwner):
            await check_generation(conn, "x", first.generation)


async def test_generations_grow_over_a_restore(pool: Pool, connection: psycopg.Connection) -> None:
    lease = Lease(pool, "x", ttl=30)
    assert await lease.acquire()
    before = lease.generation
    connection.execute("TRUNCATE engine.leases")
    assert await lease.acquire()
    assert lease.generation > before


async def test_a_second_process_takes_over(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    connection: psycopg.Connection,
    look: Look,
    pool: Pool,
) -> None:
    relay.publish()
    spare = LedgerProjection(pool)
    async with consume(ledger) as first:
        await until(look.on_streams)
        async with consume(spare):
            event = emit(connection, "a")
            relay.publish()
            await until(look.has(event))
            assert spare.applied == []
            await ended(first)
            later = emit(connection, "b")
            relay.publish()
            await until(look.has(later))
            assert later in spare.applied


async def test_killed_between_apply_and_acknowledge(
    pool: Pool,
    client: Client,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    look: Look,
    ledger: LedgerProjection,
    consume: Consume,
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
    doomed = LedgerProjection(pool)
    doomed.stall_after_apply = asyncio.Event()
    task = asyncio.create_task(Runner(doomed, pool, client, options=FAST).run(asyncio.Event()))
    ids = [emit(connection, "x", reject=True), *(emit(connection, f"k{number}") for number in range(5))]
    relay.publish()
    async with asyncio.timeout(10):
        await doomed.stall_after_apply.wait()
    await ended(task)
    assert raw.xpending(relay.key("post"), "ledger")["pending"] > 0
    async with consume(ledger):
        await until(lambda: look.letters() == [("x", "dead")], what="the rejection that the crash swallowed")
        await until(lambda: raw.xpending(relay.key("post"), "ledger")["pending"] == 0)
    assert look.has(*ids[1:])()


async def test_stale_generation_is_refused_and_the_process_stands_by(
    consume: Consume, ledger: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    relay.publish()
    async with consume(ledger, options=replace(FAST, lease=60.0)):
        await until(look.on_streams)
        connection.execute("UPDATE ledger_checkpoint SET generation = generation + 1000")
        event = emit(connection, "a")
        relay.publish()
        await until(look.has(event), what="owned again with a newer generation")
