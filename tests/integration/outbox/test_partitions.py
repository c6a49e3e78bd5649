"""The log's partitions come and go while people write and others read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from outbox import partitions, retention
from runtime import postgres
from tests.support.outbox import Connection

EMIT = "SELECT outbox.emit('post', 'post.updated', 'p1', '{}')"


@pytest.fixture
async def conn(database: str) -> AsyncIterator[postgres.Connection]:
    async with postgres.connect(database) as opened:
        yield opened


def today() -> date:
    return datetime.now(UTC).date()


def days(connection: Connection) -> set[str]:
    rows = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'outbox.events'::regclass"
    )
    return {name.removeprefix("outbox.events_") for (name,) in rows}


def old_day(connection: Connection, back: int) -> date:
    """A partition of `back` days ago, with one event."""
    day = today() - timedelta(days=back)
    connection.execute("SELECT outbox.add_partition(%s)", (day,))
    connection.execute(
        """INSERT INTO outbox.events (occurred_at, topic, type, key, data)
           VALUES (%s, 'post', 'post.updated.v1', 'old', '{}')""",
        (datetime(day.year, day.month, day.day, 12, tzinfo=UTC),),
    )
    return day


def tables(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^events_[0-9]{8}$'").fetchone()
    assert row is not None
    return int(row[0])


async def test_days_are_made_ahead_once(conn: postgres.Connection, connection: Connection) -> None:
    before = len(days(connection))
    upkeep = await partitions.make_ahead(conn, 12)
    assert upkeep.made[-1] == today() + timedelta(days=12)
    assert len(days(connection)) == before + len(upkeep.made)
    assert str(await partitions.make_ahead(conn, 12)) == "nothing to do"
    connection.execute(EMIT)
    row = connection.execute("SELECT tableoid::regclass::text FROM outbox.events").fetchone()
    assert row == (f"outbox.events_{today():%Y%m%d}",)


async def test_a_made_partition_is_like_the_others(conn: postgres.Connection, connection: Connection) -> None:
    await partitions.make_ahead(conn, 12)
    shapes = {
        row
        for (row,) in connection.execute(
            """SELECT (SELECT string_agg(regexp_replace(pg_get_indexdef(x.indexrelid), 'events_[0-9a-z_]+', '', 'g'),
                                         ';' ORDER BY x.indisprimary) FROM pg_index x WHERE x.indrelid = i.inhrelid)
                 FROM pg_inherits i WHERE i.inhparent = 'outbox.events'::regclass"""
        )
    }
    assert len(shapes) == 1


async def test_the_net_catches_what_no_day_takes(conn: postgres.Connection, connection: Connection) -> None:
    far = datetime.now(UTC) + timedelta(days=20)
    insert = "INSERT INTO outbox.events (occurred_at, topic, type, key, data) VALUES (%s, 'post', 'a.b.v1', 'p', '{}')"
    connection.execute(insert, (far,))
    upkeep = await partitions.make_ahead(conn, 21)
    assert upkeep.put_off == [far.date()], (
        "the day whose rows are in the net stays there, the others are made"
    )
    assert upkeep.made[-1] == today() + timedelta(days=21)
    connection.execute(insert, (datetime.now(UTC) - timedelta(days=40),))
    await retention.retire(conn)
    assert connection.execute("SELECT count(*) FROM outbox.events").fetchone() == (1,), (
        "the old one was pruned"
    )


async def test_retention_drops_what_is_older_and_only_that(
    conn: postgres.Connection, connection: Connection
) -> None:
    expired, kept = old_day(connection, 31), old_day(connection, 30)
    upkeep = await retention.retire(conn)
    assert upkeep.dropped == [expired]
    assert f"{kept:%Y%m%d}" in days(connection)
    connection.execute("UPDATE outbox.settings SET value = '7' WHERE name = 'retention_days'")
    assert (await retention.retire(conn)).dropped == [kept]
    assert connection.execute("SELECT count(*) FROM outbox.events").fetchone() == (0,)


def test_nobody_can_drop_a_day_that_is_not_over(connection: Connection) -> None:
    for day in (today(), today() - timedelta(days=1), today() - timedelta(days=400)):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute("SELECT outbox.retire_day(%s, 1, '3', '{}')", (day,))
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        connection.execute("SELECT outbox.drop_detached(%s)", (today(),))
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE outbox.settings SET value = '0' WHERE name = 'retention_days'")


async def test_a_crash_between_detaching_and_dropping_is_mended(
    conn: postgres.Connection, connection: Connection
) -> None:
    day = old_day(connection, 31)
    connection.execute("SELECT outbox.retire_day(%s, 1, '3', '{}')", (day,))
    assert (await retention.retire(conn)).dropped == [day]


async def test_people_write_while_a_rebuild_reads_and_upkeep_runs(
    conn: postgres.Connection, connection: Connection, database: str
) -> None:
    """A reader holds the whole log for seconds; both kinds of upkeep want their locks all that time."""
    old_day(connection, 31)
    before = tables(connection)
    async with await psycopg.AsyncConnection.connect(database) as reader:
        await reader.execute("SELECT count(*) FROM outbox.events")
        upkeep = asyncio.create_task(_upkeep(conn))
        latencies = await _write_for(database, seconds=3)
        assert not upkeep.done(), "the reader holds what upkeep needs"
        await reader.commit()
        async with asyncio.timeout(30):
            made, retired = await upkeep
    assert made.made
    assert retired.dropped
    assert tables(connection) == before + len(made.made) - 1
    latencies.sort()
    assert latencies[-1] < 0.75, f"an insert waited {latencies[-1]:.3f} s"
    assert latencies[len(latencies) // 2] < 0.1


async def _upkeep(conn: postgres.Connection) -> tuple[partitions.Upkeep, partitions.Upkeep]:
    return await partitions.make_ahead(conn, 10, attempts=40), await retention.retire(conn, attempts=40)


async def _write_for(database: str, seconds: float) -> list[float]:
    clock = asyncio.get_running_loop().time
    end, latencies = clock() + seconds, []
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as writer:
        while (begun := clock()) < end:
            await writer.execute(EMIT)
            latencies.append(clock() - begun)
            await asyncio.sleep(0.002)
    return latencies
