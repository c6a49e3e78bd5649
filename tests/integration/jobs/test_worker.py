"""The worker on a real queue: jobs that exist exactly when their transaction commits, run once, and survive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

import psycopg
import pytest

from app import jobs as worker
from runtime.errors import ConfigurationError, Retryable
from runtime.jobs import Actor, enqueue
from runtime.postgres import Connection, connect
from runtime.settings import Profile, Settings
from tests.support.wait import until

Run = Callable[..., Awaitable[None]]


@pytest.fixture
async def conn(database: str) -> AsyncIterator[Connection]:
    async with connect(database, autocommit=True) as opened:
        yield opened


@asynccontextmanager
async def running(database: str, *actors: Actor, queues: Sequence[str] = ()) -> AsyncIterator[None]:
    """A worker in this process with these actors; stopped, and waited for, at the end."""

    @asynccontextmanager
    async def area(_: Settings, __: asyncio.Event) -> AsyncIterator[Sequence[Actor]]:
        yield actors

    stop = asyncio.Event()
    settings = Settings(_env_file=None, database_url=database)
    task = asyncio.create_task(worker.serve(settings, stop, queues=queues, threads=2, areas=(area,)))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)


def messages(conn: psycopg.Connection) -> int:
    [(count,)] = conn.execute("SELECT count(*) FROM dramatiq.queue").fetchall()
    return int(count)


class Recorder:
    """An actor that writes down its arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    async def __call__(self, *args: object) -> None:
        self.calls.append(args)

    def was_called(self, times: int) -> bool:
        return len(self.calls) == times


async def test_a_job_exists_when_its_transaction_commits(
    database: str, conn: Connection, connection: psycopg.Connection
) -> None:
    recorder = Recorder()
    async with running(database, Actor("test.record", recorder)):
        async with conn.transaction(force_rollback=True):
            await enqueue(conn, "test.record", "never")
        async with conn.transaction():
            await enqueue(conn, "test.record", "once", 2)
        await until(lambda: recorder.calls)
        await until(lambda: messages(connection) == 0)
    assert recorder.calls == [("once", 2)]


async def test_a_new_job_starts_at_once_although_the_worker_looks_seldom(
    database: str, conn: Connection
) -> None:
    recorder = Recorder()
    async with running(database, Actor("test.record", recorder)):
        await enqueue(conn, "test.record", "warm")
        await until(lambda: len(recorder.calls) == 1)
        for number in range(25):  # each asked for while the worker is just about to wait again
            started = monotonic()
            await enqueue(conn, "test.record", number)
            await until(partial(recorder.was_called, number + 2), interval=0.001)
            assert monotonic() - started < worker.POLL[Profile.DEFAULT] / 2


async def test_a_store_that_is_away_is_tried_again_and_other_failures_too(
    database: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(worker.POLL, Profile.DEFAULT, 0.2)
    failures = [Retryable("away"), RuntimeError("a bug")]
    done = asyncio.Event()

    async def flaky() -> None:
        if failures:
            raise failures.pop()
        done.set()

    async with running(database, Actor("test.flaky", flaky, max_retries=None)):
        await enqueue(conn, "test.flaky")
        await asyncio.wait_for(done.wait(), 30)


async def test_equal_requests_are_one_job_until_it_starts(
    database: str, conn: Connection, connection: psycopg.Connection
) -> None:
    for delay in (60.0, 0.0, 30.0):
        await enqueue(conn, "test.record", 1, once=True, delay=delay)
    await enqueue(conn, "test.record", 2, once=True)
    assert messages(connection) == 2
    recorder = Recorder()
    async with running(database, Actor("test.record", recorder)):
        await until(lambda: len(recorder.calls) == 2)
        await until(lambda: messages(connection) == 0)
    assert sorted(recorder.calls, key=str) == [(1,), (2,)]


async def test_a_joined_job_waits_for_the_transaction_that_joined_it(
    database: str, conn: Connection, connection: psycopg.Connection
) -> None:
    await enqueue(conn, "test.record", once=True)
    recorder = Recorder()
    async with conn.transaction():
        await enqueue(conn, "test.record", once=True)
        async with running(
            database, Actor("test.record", recorder), Actor("test.other", other := Recorder())
        ):
            async with connect(database) as elsewhere:
                await enqueue(elsewhere, "test.other")
            await until(lambda: other.calls)
            assert not recorder.calls
    async with running(database, Actor("test.record", recorder)):
        await until(lambda: recorder.calls)
    assert recorder.calls == [()]


async def test_a_request_during_a_run_makes_another_run(database: str, conn: Connection) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()
    runs = 0

    async def slow() -> None:
        nonlocal runs
        runs += 1
        started.set()
        await go_on.wait()

    async with running(database, Actor("test.slow", slow)):
        await enqueue(conn, "test.slow", once=True)
        await asyncio.wait_for(started.wait(), 10)
        await enqueue(conn, "test.slow", once=True)
        go_on.set()
        await until(lambda: runs == 2)


async def test_stopping_lets_a_job_finish_and_leaves_the_next_for_others(
    database: str, conn: Connection, connection: psycopg.Connection
) -> None:
    started, finished = asyncio.Event(), []

    async def slow(number: int) -> None:
        started.set()
        await asyncio.sleep(0.5)
        finished.append(number)

    async with running(database, Actor("test.slow", slow)):
        for number in range(8):
            await enqueue(conn, "test.slow", number)
        await asyncio.wait_for(started.wait(), 10)
    assert finished
    assert messages(connection) == 8 - len(finished)
    assert connection.execute("SELECT count(*) FROM dramatiq.queue WHERE state <> 'queued'").fetchall() == [
        (0,)
    ]


async def test_a_worker_serves_only_its_queues_and_starts_what_looks_for_work(
    database: str, conn: Connection
) -> None:
    mine, other, leftovers = Recorder(), Recorder(), Recorder()
    actors = (
        Actor("test.mine", mine, queue="mine"),
        Actor("test.other", other),
        Actor("test.leftovers", leftovers, queue="mine", at_start=True),
    )
    async with running(database, *actors, queues=["mine"]):
        await enqueue(conn, "test.other")
        await enqueue(conn, "test.mine", queue="mine")
        await until(lambda: mine.calls and leftovers.calls)
    assert not other.calls


async def test_the_jobs_of_a_dead_worker_go_to_another(
    database: str, conn: Connection, connection: psycopg.Connection
) -> None:
    await enqueue(conn, "test.record")
    connection.execute(
        "UPDATE dramatiq.queue SET state = 'consumed', consumed_at = now() - interval '5 minutes',"
        " worker_id = gen_random_uuid()"
    )
    recorder = Recorder()
    async with running(database, Actor("test.record", recorder)):
        await until(lambda: recorder.calls)


async def test_without_a_queue_it_says_what_to_do(empty_database: str) -> None:
    with pytest.raises(ConfigurationError, match="stunity migrate"):
        async with running(empty_database, Actor("test.record", Recorder(), at_start=True)):
            pass


async def test_an_idle_worker_hardly_asks_the_database(database: str, connection: psycopg.Connection) -> None:
    async with running(database, Actor("test.record", Recorder())):
        await until(lambda: _transactions(connection) > 0)
        before = _transactions(connection)
        await asyncio.sleep(4)
        assert _transactions(connection) - before < 20


def _transactions(conn: psycopg.Connection) -> int:
    conn.execute("SELECT pg_stat_force_next_flush()")
    [(count,)] = conn.execute(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    ).fetchall()
    return int(count)
