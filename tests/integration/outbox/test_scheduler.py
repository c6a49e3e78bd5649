"""Chores run when they are due, once whoever else schedules, and what became of them can be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app import retention
from app.scheduler import Chore, Scheduler, outbox_chores
from runtime.postgres import Connection, Pool, open_pool
from runtime.settings import Profile, Settings
from tests.support import outbox
from tests.support.wait import until


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with open_pool(database, max_size=4) as opened:
        yield opened


async def nothing(_: Connection) -> str:
    return "done"


def jobs(connection: outbox.Connection) -> dict[str, tuple[int, int, str | None, str | None]]:
    rows = connection.execute("SELECT name, runs, failures, result, error FROM outbox.jobs")
    return {row[0]: row[1:] for row in rows}


async def test_a_chore_runs_when_it_is_due_and_not_before(pool: Pool, connection: outbox.Connection) -> None:
    scheduler = Scheduler(pool, [Chore("a", timedelta(hours=1), nothing)])
    assert await scheduler.run_once() == ["a"]
    assert await scheduler.run_once() == []
    connection.execute("UPDATE outbox.jobs SET due_at = now()")
    assert await scheduler.run_once() == ["a"]
    assert jobs(connection)["a"] == (2, 0, "done", None)


async def test_two_schedulers_never_run_one_chore_at_once(pool: Pool, connection: outbox.Connection) -> None:
    running, most = 0, 0

    async def watched(_: Connection) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    chores = [Chore("a", timedelta(0), watched)]
    both = [Scheduler(pool, chores), Scheduler(pool, chores)]
    for _ in range(5):
        await asyncio.gather(*(scheduler.run_once() for scheduler in both))
    assert most == 1
    assert 5 <= jobs(connection)["a"][0] <= 10


async def test_a_failure_is_recorded_and_stops_nothing_else(
    pool: Pool, connection: outbox.Connection
) -> None:
    async def broken(_: Connection) -> None:
        raise ValueError("no such thing")

    async def endless(_: Connection) -> None:
        await asyncio.sleep(60)

    chores = [
        Chore("broken", timedelta(hours=1), broken),
        Chore("endless", timedelta(hours=1), endless, limit=timedelta(milliseconds=50)),
        Chore("fine", timedelta(hours=1), nothing),
    ]
    assert await Scheduler(pool, chores).run_once() == ["broken", "endless", "fine"]
    found = jobs(connection)
    assert found["broken"] == (1, 1, None, "ValueError: no such thing")
    assert found["endless"][3] == "not done within 0:00:00.050000"
    assert found["fine"] == (1, 0, "done", None)


async def test_the_chore_of_a_dead_scheduler_is_taken_over(pool: Pool, connection: outbox.Connection) -> None:
    scheduler = Scheduler(pool, [Chore("a", timedelta(hours=1), nothing)])
    await scheduler.run_once()
    connection.execute("UPDATE outbox.jobs SET due_at = now(), leased_until = now() + interval '1 minute'")
    assert await scheduler.run_once() == []
    connection.execute("UPDATE outbox.jobs SET leased_until = now()")
    assert await scheduler.run_once() == ["a"]


async def test_it_runs_until_it_is_stopped_and_survives_a_lost_connection(
    pool: Pool, connection: outbox.Connection
) -> None:
    stop = asyncio.Event()
    scheduler = Scheduler(pool, [Chore("a", timedelta(milliseconds=20), nothing)])
    task = asyncio.create_task(scheduler.run(stop))
    await until(lambda: jobs(connection).get("a", (0,))[0] >= 2)
    connection.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
    )
    seen = jobs(connection)["a"][0]
    await until(lambda: jobs(connection)["a"][0] >= seen + 2, 20)
    stop.set()
    async with asyncio.timeout(10):
        await task


async def test_the_outbox_is_kept_up(pool: Pool, connection: outbox.Connection, database: str) -> None:
    settings = Settings(_env_file=None, database_url=database)
    chores = [*outbox_chores(Profile.DEFAULT), *retention.chores(settings)]
    assert await Scheduler(pool, chores).run_once() == [
        "partitions",
        "counters",
        "view_counters",
        "retention",
    ]
    archiving = settings.model_copy(update={"archive_url": "file:///nowhere"})
    assert [chore.name for chore in retention.chores(archiving)] == ["log.retire"], (
        "the worker's, who is asked"
    )
    assert {error for (*_, error) in jobs(connection).values()} == {None}
    slow, quick = outbox_chores(Profile.ECONOMY)[1], outbox_chores(Profile.DEFAULT)[1]
    assert slow.every > quick.every
