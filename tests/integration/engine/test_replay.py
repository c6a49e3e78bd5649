"""Events once more: from where to where was asked, at their rate, beside live ones, and found again after a crash."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.engine import jobs
from consumers.engine.replay.request import KIND, Range, Replay
from consumers.engine.replay.source import count
from outbox import retention
from outbox.retention import Need
from runtime.errors import ConfigurationError
from runtime.postgres import Pool, connect
from schemas.archive import Archive
from tests.integration.engine.conftest import Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.streams import StepRelay, emit
from tests.support.wait import until

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Replays:
    """Asks for replays and looks at them."""

    def __init__(self, conn: psycopg.Connection[Any], pool: Pool) -> None:
        self._conn = conn
        self._pool = pool

    def replay(self, **changes: Any) -> Replay:
        """Of everything that is in the log now."""
        row = self._conn.execute("SELECT pg_current_snapshot()::text, outbox.current_epoch()").fetchone()
        assert row
        bounds = changes.pop("bounds", Range())
        topics = changes.pop("topics", ("post", "user", "engagement"))
        return Replay(bounds, topics, row[0], row[1], **({"rate": 100_000.0} | changes))

    async def ask(self, replay: Replay, archive: Archive | None = None) -> int:
        """Its id."""
        async with self._pool.connection() as conn:
            events = (await count(conn, archive, replay))["events"]
            return await jobs.ask(conn, KIND, "ledger", replay.dump(), events)

    async def get(self, job: int) -> jobs.Job:
        """As it stands."""
        async with self._pool.connection() as conn:
            found = await jobs.get(conn, job)
        assert found
        return found

    async def wish(self, job: int, what: jobs.Wish) -> bool:
        """Pause, resume, cancel."""
        async with self._pool.connection() as conn:
            return await jobs.wish(conn, job, what)

    async def done(self, job: int) -> jobs.Job:
        """When it is over."""

        async def over() -> jobs.Job | None:
            found = await self.get(job)
            return found if found.over else None

        found = await until(over, 20, what="the replay is over")
        assert found
        return found


@pytest.fixture
def replays(connection: psycopg.Connection, pool: Pool) -> Replays:
    """On the test's database."""
    return Replays(connection, pool)


async def seen_again(ledger: LedgerProjection, replays: Replays, **changes: Any) -> list[int]:
    """What a replay brings to the view."""
    before = len(ledger.applied)
    job = await replays.done(await replays.ask(replays.replay(**changes)))
    assert job.state == "done"
    assert job.done == job.total == len(ledger.applied) - before
    return ledger.applied[before:]


async def test_ranges_keys_and_topics(
    following: LedgerProjection,
    relay: StepRelay,
    connection: psycopg.Connection,
    look: Look,
    replays: Replays,
) -> None:
    ids = [emit(connection, f"k{number % 3}") for number in range(30)]
    likes = [emit(connection, "k1", topic="engagement", kind="like.created") for _ in range(5)]
    emit(connection, "of no concern", topic="club", kind="club.created")
    relay.publish()
    await until(look.has(ids[-1], *likes))
    before = look.latest(), look.facts()
    assert await seen_again(following, replays) == [*ids, *likes]
    assert await seen_again(following, replays, bounds=Range(from_id=ids[10], to_id=ids[12])) == ids[10:13]
    assert await seen_again(following, replays, key="k1") == [*ids[1::3], *likes]
    assert await seen_again(following, replays, topics=("engagement",)) == likes
    middle = connection.execute("SELECT occurred_at FROM outbox.events WHERE id = %s", (ids[20],)).fetchone()
    assert middle
    assert await seen_again(following, replays, bounds=Range(since=middle[0])) == [*ids[20:], *likes]
    assert await seen_again(following, replays, bounds=Range(until=middle[0])) == ids[:20]
    assert (look.latest(), look.facts()) == before
    assert look.on_streams()


async def test_paused_resumed_cancelled(
    following: LedgerProjection,
    relay: StepRelay,
    connection: psycopg.Connection,
    look: Look,
    replays: Replays,
) -> None:
    connection.execute(
        "SELECT outbox.emit('post', 'post.created', 'k' || n, '{}') FROM generate_series(1, 1500) n"
    )
    relay.publish()
    await until(lambda: len(set(following.applied)) == 1500)
    job = await replays.ask(replays.replay(rate=1000.0))
    first = await when(replays, job, lambda found: found.applied > 0)
    assert await replays.wish(job, "pause")
    before = await when(replays, job, lambda found: found.state == "paused")
    assert not await replays.wish(job, "pause")
    live = emit(connection, "live")
    relay.publish()
    await until(lambda: live in following.applied)
    assert (await replays.get(job)).applied <= before.applied + 200
    assert await replays.wish(job, "resume")
    await when(replays, job, lambda found: found.applied > before.applied + 200)
    assert await replays.wish(job, "cancel")
    assert (await replays.done(job)).state == "cancelled"
    assert not await replays.wish(job, "resume")
    assert first.total == 1500


async def when(replays: Replays, job: int, condition: Callable[[jobs.Job], bool]) -> jobs.Job:
    """The job, once it is so."""

    async def look() -> jobs.Job | None:
        found = await replays.get(job)
        return found if condition(found) else None

    found = await until(look)
    assert found
    return found


async def test_the_next_owner_goes_on(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    connection: psycopg.Connection,
    look: Look,
    replays: Replays,
    pool: Pool,
) -> None:
    relay.publish()
    async with consume(ledger):
        await until(look.on_streams)
        connection.execute(
            "SELECT outbox.emit('post', 'post.created', 'k' || n, '{}') FROM generate_series(1, 2000) n"
        )
        relay.publish()
        await until(lambda: len(set(ledger.applied)) == 2000)
        job = await replays.ask(replays.replay(rate=1000.0))
        await when(replays, job, lambda found: found.applied > 0)
    half = await replays.get(job)
    assert half.state == "running"
    successor = LedgerProjection(pool)
    async with consume(successor):
        assert (await replays.done(job)).state == "done"
    again = len(successor.applied)
    assert 2000 - half.applied <= again <= 2000 - half.applied + 200  # at most the slice in hand comes twice


async def test_live_events_wait_for_one_slice_at_most(
    following: LedgerProjection,
    relay: StepRelay,
    connection: psycopg.Connection,
    look: Look,
    replays: Replays,
) -> None:
    """While thousands of old events go through, as fast as they can, a live one is applied between two slices."""
    connection.execute(
        "SELECT outbox.emit('post', 'post.created', 'k' || n, '{}') FROM generate_series(1, 2000) n"
    )
    relay.publish()
    await until(lambda: len(set(following.applied)) == 2000)
    before = len(following.applied)
    job = await replays.ask(replays.replay())
    await until(lambda: len(following.applied) > before + 200)
    live = emit(connection, "live")
    relay.publish()
    await until(lambda: live in following.applied)
    behind = following.applied.index(live)
    done = await replays.done(job)
    assert done.applied == 2000
    assert behind < before + 2000 - 200, "the live event waited for the end of the replay"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """On a disk."""
    return Archive(f"file://{tmp_path}/archive")


def days_ago(connection: psycopg.Connection, back: int) -> list[int]:
    """Facts and a state of a day that is long over; their ids."""
    day = datetime.now(UTC).date() - timedelta(days=back)
    connection.execute("SELECT outbox.add_partition(%s)", (day,))
    rows = connection.execute(
        """INSERT INTO outbox.events (occurred_at, topic, type, key, data)
           SELECT %s::timestamptz + n * interval '1 minute',
                  CASE n %% 4 WHEN 0 THEN 'post' ELSE 'engagement' END,
                  CASE n %% 4 WHEN 0 THEN 'post.created.v1' ELSE 'like.created.v1' END,
                  'old' || n %% 5, jsonb_build_object('id', 'f' || n) FROM generate_series(1, 40) n RETURNING id""",
        (f"{day} 00:00+00",),
    ).fetchall()
    return [row[0] for row in rows]


def facts_of(ids: list[int]) -> list[int]:
    """Those that are facts."""
    return [one for number, one in enumerate(ids, 1) if number % 4]


async def test_archive_and_table_are_one_log(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    connection: psycopg.Connection,
    look: Look,
    replays: Replays,
    archive: Archive,
    database: str,
) -> None:
    oldest, old = days_ago(connection, 33), days_ago(connection, 32)
    today = [emit(connection, f"k{number}") for number in range(5)]
    relay.publish()
    async with connect(database) as conn:
        upkeep = await retention.retire(conn, archive=archive)
    assert len(upkeep.archived) == len(upkeep.dropped) == 2
    assert {row[0] for row in connection.execute("SELECT id FROM outbox.events")} == set(today)
    async with consume(ledger, archive=archive):
        await until(look.on_streams)
        before = len(ledger.applied)
        job = await replays.done(await replays.ask(replays.replay(), archive))
        assert ledger.applied[before:] == [*facts_of(oldest), *facts_of(old), *today]
        assert job.note is None
        before = len(ledger.applied)
        one = replays.replay(bounds=Range(from_id=oldest[5], to_id=old[3]), key="old1")
        await replays.done(await replays.ask(one, archive))
        expected = [i for i in (*facts_of(oldest), *facts_of(old)) if oldest[5] <= i <= old[3]]
        keys = {one: f"old{number % 5}" for ids in (oldest, old) for number, one in enumerate(ids, 1)}
        assert ledger.applied[before:] == [i for i in expected if keys[i] == "old1"]


async def test_days_that_are_nowhere_are_told(
    following: LedgerProjection, connection: psycopg.Connection, replays: Replays, database: str
) -> None:
    days_ago(connection, 33)
    async with connect(database) as conn:
        await retention.retire(conn)
    job = await replays.done(await replays.ask(replays.replay()))
    assert job.state == "done"
    assert "not archived" in (job.note or "")


async def test_a_replay_of_what_is_archived_needs_the_archive(
    following: LedgerProjection,
    connection: psycopg.Connection,
    replays: Replays,
    archive: Archive,
    database: str,
    pool: Pool,
) -> None:
    days_ago(connection, 33)
    async with connect(database) as conn:
        await retention.retire(conn, archive=archive)
    async with pool.connection() as conn:
        with pytest.raises(ConfigurationError, match="ARCHIVE_URL"):
            await count(conn, None, replays.replay())
    job = await replays.ask(replays.replay(), archive)
    done = await replays.done(job)  # by a consumer that has not been given the archive
    assert done.state == "failed"
    assert "ARCHIVE_URL" in (done.note or "")


async def test_a_day_that_a_view_needs_stays_and_one_past_the_limit_goes_loudly(
    connection: psycopg.Connection, database: str
) -> None:
    row = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
    assert row
    needs = [Need("search", 0, row[0], datetime.now(UTC) - timedelta(days=40))]
    ids = days_ago(connection, 33)
    async with connect(database) as conn:
        upkeep = await retention.retire(conn, needs)
        assert (len(upkeep.held), upkeep.dropped) == (1, [])
        assert connection.execute("SELECT needed_by FROM outbox.held_days").fetchall() == [(["search"],)]
        connection.execute("UPDATE outbox.settings SET value = '31' WHERE name = 'retention_limit_days'")
        upkeep = await retention.retire(conn, needs)
    assert len(upkeep.forced) == len(upkeep.dropped) == 1
    retired = connection.execute("SELECT max_id, needed_by FROM outbox.retired_days").fetchall()
    assert retired == [(ids[-1], ["search"])]
    assert connection.execute("SELECT count(*) FROM outbox.held_days").fetchone() == (0,)
    reaches = """SELECT outbox.log_reaches(%s::pg_snapshot, 0, now()),
                        outbox.log_reaches(pg_current_snapshot(), 0, now())"""
    assert connection.execute(reaches, (row[0],)).fetchone() == (False, True)
    connection.execute("UPDATE outbox.settings SET value = '90' WHERE name = 'retention_limit_days'")


def test_points_of_the_log() -> None:
    assert Range.between("beginning", "now", NOW) == Range()
    assert Range.between("17", "20", NOW) == Range(from_id=17, to_id=20)
    assert Range.between("2h", None, NOW) == Range(since=NOW - timedelta(hours=2))
    assert Range.between("2026-11-01", "2026-11-02T08:00+07:00", NOW) == Range(
        since=datetime(2026, 11, 1, tzinfo=UTC), until=datetime(2026, 11, 2, 1, tzinfo=UTC)
    )
    for start, end in (("20", "17"), ("1h", "2h"), ("yesterday", None)):
        with pytest.raises(ConfigurationError):
            Range.between(start, end, NOW)
    replay = Replay(Range(from_id=3), ("post",), "3:3:", 1, "k", 5.0)
    assert Replay.load(replay.dump()) == replay
