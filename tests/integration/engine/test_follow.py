"""A consumer follows: the truth once, then the streams, or the log while there are none."""

from __future__ import annotations

import asyncio

import psycopg

from consumers.engine.projection import Projection
from runtime.postgres import Pool
from tests.integration.engine.conftest import PERSON, Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.streams import StepRelay, emit
from tests.support.wait import ended, until


async def test_new_consumer_takes_the_truth_and_then_the_streams(
    consume: Consume, ledger: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    connection.execute(PERSON, ("u1", "u1@example.test"))
    emit(connection, "older than the view, and not of the truth")
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
        event = emit(connection, "b")
        relay.publish()
        await until(look.has(event))
    assert look.latest() == {"user/u1": 0, "post/b": event}


async def test_streams_need_no_look_at_the_log(
    following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    ids = [emit(connection, f"k{number % 7}") for number in range(50)]
    relay.publish()
    await until(lambda: following.applied == ids)
    assert look.on_streams()


async def test_entries_are_acknowledged_once_the_view_has_them(
    following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    event = emit(connection, "a")
    relay.publish()
    await until(look.has(event))

    def pending() -> int:
        return int(relay._redis.xpending(relay.key("post"), "ledger")["pending"])

    await until(lambda: pending() == 0, what="nothing pending")


async def test_without_redis_the_log_is_followed(
    consume: Consume, ledger: LedgerProjection, connection: psycopg.Connection, look: Look
) -> None:
    async with consume(ledger, client=None):
        await until(look.live)
        first = emit(connection, "a")
        await until(look.has(first))
        second = emit(connection, "b", topic="engagement", kind="like.created")
        await until(look.has(first, second))
        assert look.live()


async def test_a_view_is_filled_from_the_truth_when_asked(
    following: LedgerProjection, connection: psycopg.Connection, look: Look
) -> None:
    connection.execute("SET session_replication_role = replica")  # rows that were there before capture
    connection.execute(PERSON, ("u1", "u1@example.test"))
    connection.execute("SET session_replication_role = origin")
    assert "user/u1" not in look.latest()
    connection.execute("INSERT INTO outbox.fills (reason) VALUES ('test')")
    await until(lambda: look.latest().get("user/u1") == 0, what="filled")
    await until(lambda: look.live() and look.on_streams(), what="serving again")


async def test_a_fill_clears_first_however_often_it_is_killed(
    consume: Consume, ledger: LedgerProjection, pool: Pool, connection: psycopg.Connection, look: Look
) -> None:
    connection.execute(PERSON, ("u1", "u1@example.test"))
    ledger.stall_in_clear = asyncio.Event()
    async with consume(ledger) as process:
        await ledger.stall_in_clear.wait()
        assert not look.live()
        await ended(process)
    successor = LedgerProjection(pool)
    async with consume(successor):
        await until(look.live)
    assert successor.cleared_after == [0]
    assert look.latest()["user/u1"] == 0
    later = LedgerProjection(pool)
    async with consume(later):
        await until(look.has(emit(connection, "a")))
    assert later.cleared_after == [], "the log is enough"


async def test_readers_are_sent_away_before_a_view_that_serves_is_cleared(
    consume: Consume, ledger: LedgerProjection, connection: psycopg.Connection, look: Look
) -> None:
    async with consume(ledger) as process:
        await until(look.live)
        ledger.stall_in_clear = asyncio.Event()
        connection.execute("INSERT INTO outbox.fills (reason) VALUES ('test')")
        await ledger.stall_in_clear.wait()
        live = look.live()
        await ended(process)
    assert not live


async def test_nothing_is_served_before_there_is_a_truth_to_fill_from(
    consume: Consume, ledger: Projection, connection: psycopg.Connection, look: Look
) -> None:
    connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM outbox.sources")
    connection.execute("DELETE FROM outbox.sources")
    try:
        event = emit(connection, "a")
        async with consume(ledger):
            await until(look.has(event))
            assert not look.live()
    finally:
        connection.execute("INSERT INTO outbox.sources SELECT * FROM kept")


async def test_a_new_epoch_is_followed(
    following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    old = emit(connection, "a")
    relay.publish()
    relay.end_epoch()
    new = emit(connection, "b")
    relay.publish()
    await until(look.has(old, new))
    await until(lambda: epoch_of(connection) == 2 and look.on_streams(), what="on the new streams")
    later = emit(connection, "c")
    relay.publish()
    await until(look.has(later))
    assert set(following.applied) == {old, new, later}


def epoch_of(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT epoch FROM engine.checkpoints WHERE consumer = 'ledger'").fetchone()
    return int(row[0]) if row else 0
