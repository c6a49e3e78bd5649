"""Whatever Redis forgets, the view has every event (I10), and a store that forgot is filled again (I10b)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import psycopg
import redis

from app.stack.valkey import Valkey
from runtime.redis import open_client
from schemas import wire
from tests.integration.engine.conftest import FAST, PERSON, Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.servers import Running
from tests.support.streams import StepRelay, emit
from tests.support.wait import changed, until

_SERVED = "SELECT state = 'live' FROM engine.checkpoints WHERE consumer = 'ledger'"


async def test_hole(
    following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    lost, kept = emit(connection, "lost"), emit(connection, "kept")
    relay.publish(lose=["lost"])
    await until(look.has(lost, kept))
    await until(look.on_streams)
    assert len(following.applied) == len(set(following.applied))


async def test_gap_marker(
    following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    lost = emit(connection, "lost")
    relay.publish(lose=["lost"], marker=False)
    relay.forget()
    relay.add("post", wire.Gap())
    await until(look.has(lost))


async def test_flushall_and_a_relay_that_starts_again(
    following: LedgerProjection,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    look: Look,
) -> None:
    first = emit(connection, "a")
    raw.flushall()
    await until(look.has(first), what="served by the log")
    relay.forget()
    relay.publish()
    second = emit(connection, "b")
    relay.publish()
    await until(look.has(first, second))
    await until(look.on_streams)


async def test_trimmed_before_it_was_read(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    look: Look,
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
    ids = [emit(connection, f"k{number}") for number in range(20)]
    relay.publish()
    for topic in ("post", "user", "engagement"):
        raw.xtrim(relay.key(topic), maxlen=1, approximate=False)
    async with consume(ledger):
        await until(look.has(*ids))
        await until(look.on_streams)


async def test_a_fill_that_is_asked_to_stop_goes_on_another_time(
    consume: Consume, ledger: LedgerProjection, connection: psycopg.Connection
) -> None:
    people = 600
    with connection.cursor() as cursor:
        cursor.executemany(PERSON, [(f"u{number}", f"u{number}@x") for number in range(people)])
    async with consume(ledger, options=replace(FAST, batch_events=2, fill_batches=1)):
        await until(lambda: len(ledger.applied) > 10)
    assert len(ledger.applied) < people
    asked = len(ledger.applied)
    async with consume(ledger):
        await until(lambda: connection.execute(_SERVED).fetchone() == (True,))
    assert people <= len(ledger.applied) <= people + 2 * asked
    assert connection.execute("SELECT count(*) FROM ledger_latest").fetchone() == (people,)


async def test_pending_entry_that_is_gone(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    look: Look,
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
    event = emit(connection, "a")
    relay.publish()
    raw.xreadgroup("ledger", "owner", {relay.key("post"): ">"})  # read by a process that died
    raw.xtrim(relay.key("post"), maxlen=0, approximate=False)
    relay.mark()
    async with consume(ledger):
        await until(look.has(event))


async def test_streams_rolled_back(
    following: LedgerProjection,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    look: Look,
) -> None:
    seen = emit(connection, "a")
    relay.publish()
    await until(look.has(seen))
    key = relay.key("post")
    dump, number = raw.dump(key), relay.number_of(key)
    lost = emit(connection, "b")
    relay.publish()
    await until(look.has(lost))
    raw.restore(key, 0, dump, replace=True)  # type: ignore[arg-type]
    relay.set_number(key, number)
    later = emit(connection, "c")
    relay.publish()
    await until(look.has(seen, lost, later))
    await until(look.on_streams)


async def test_long_absence(
    consume: Consume, ledger: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
    rows = connection.execute(
        """SELECT outbox.emit('post', 'post.created', 'k' || n, '{}') FROM generate_series(1, 1200) n"""
    ).fetchall()
    missed = [row[0] for row in rows]
    relay.publish()
    async with consume(ledger):
        await until(look.has(*missed))
    assert sorted(ledger.applied) == missed


async def test_store_emptied_under_the_running_consumer(
    following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    connection.execute(PERSON, ("u1", "u1@example.test"))
    relay.publish()
    await until(lambda: "user/u1" in look.latest())
    life = look.checkpoint()["incarnation"]
    await changed(connection, "TRUNCATE ledger_latest, ledger_facts, ledger_checkpoint")
    await until(lambda: "user/u1" in look.latest(), what="filled from the truth, with no event to tell of it")
    await until(lambda: look.live() and look.on_streams())
    assert look.checkpoint()["incarnation"] != life


async def test_store_restored_from_a_backup(
    consume: Consume, ledger: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
    backup = json.dumps(look.checkpoint())
    event = emit(connection, "a")
    relay.publish()
    async with consume(ledger):
        await until(look.has(event))
    connection.execute("TRUNCATE ledger_latest")
    connection.execute("UPDATE ledger_checkpoint SET checkpoint = %s", (backup,))
    async with consume(ledger):
        await until(look.has(event))


async def test_redis_dies_and_comes_back(
    own_valkey: Callable[[], Running[Valkey]],
    consume: Consume,
    ledger: LedgerProjection,
    connection: psycopg.Connection,
    look: Look,
) -> None:
    valkey = own_valkey()
    url = valkey.server.url()
    with redis.Redis.from_url(url) as raw:
        relay = StepRelay(connection, raw)
        relay.publish()
        async with open_client(url, timeout=2.0) as client, consume(ledger, client=client):
            await until(look.on_streams)
            await asyncio.to_thread(valkey.kill)
            during = emit(connection, "a")
            await until(look.has(during), what="served by the log")
            await asyncio.to_thread(valkey.start)
            relay.publish()
            await until(look.on_streams, what="back on the streams")
            after = emit(connection, "b")
            relay.publish()
            await until(look.has(during, after))


async def test_log_that_does_not_reach_back_makes_the_truth_answer(
    consume: Consume, ledger: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
    before = look.checkpoint()
    connection.execute(
        "INSERT INTO outbox.retired_days (day, max_id, max_xid) VALUES ('2026-01-01', 9, '1000000')"
    )
    async with consume(ledger):
        await until(lambda: look.checkpoint()["incarnation"] != before["incarnation"], what="a new life")
        connection.execute("UPDATE outbox.retired_days SET max_xid = '3'")  # of which the new life has all
        await until(lambda: look.live() and look.on_streams())
