"""The worker process: dramatiq on PostgreSQL, and the actors of all areas on one event loop.

dramatiq's threads take messages and wait; the work itself is coroutines on the process's loop, where pools and the
model live. Jobs are asked for with `runtime.jobs.enqueue`; what they do stands in each area's `wiring.actors`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import dramatiq
import structlog
from dramatiq.errors import Retry
from dramatiq.middleware import Interrupt
from dramatiq_postgres import PostgresBroker
from psycopg.errors import UndefinedTable
from psycopg_pool import ConnectionPool

from app import rebuilding, retention, verification
from consumers.analytics import wiring as analytics
from consumers.embeddings import wiring as embeddings
from runtime import jobs
from runtime.errors import ConfigurationError, Retryable
from runtime.postgres import TRANSIENT, connect
from runtime.settings import Profile, Settings

log = structlog.get_logger(__name__)

Area = Callable[[Settings, asyncio.Event], AbstractAsyncContextManager[Sequence[jobs.Actor]]]

#: Whoever has jobs for the worker; each gets the settings and an event that is set when the process is to stop.
AREAS: Final[Sequence[Area]] = (
    embeddings.actors,
    analytics.actors,
    verification.actors,
    retention.actors,
    rebuilding.actors,
)

#: A new job is notified; looking by oneself is for delayed jobs and lost notifications. Seconds.
POLL: Final = {Profile.DEFAULT: 5.0, Profile.ECONOMY: 30.0}
#: The messages of a worker that has been silent for so long go to another. Seconds.
DEAD_AFTER: Final = 45.0
STOP_WITHIN: Final = 25.0
MAX_BACKOFF_MS: Final = 300_000
MIN_BACKOFF_MS: Final = 500


class _Wakeup(threading.Event):
    """An event that waiting resets, and nothing else.

    The library's consumer looks for messages, clears its event, then waits: a notification that comes between the
    look and the clearing would be lost, and the message would lie there until the next look by itself.
    """

    def clear(self) -> None:
        """Not now: `wait` does it, before the next look."""

    def wait(self, timeout: float | None = None) -> bool:
        """As usual; the event is unset afterwards."""
        woken = super().wait(timeout)
        super().clear()
        return woken


class Broker(PostgresBroker):  # type: ignore[misc]  # the library has no types
    """The library's broker, with consumers that look seldom and can be woken to stop."""

    def __init__(self, pool: ConnectionPool, *, poll: float) -> None:
        super().__init__(
            pool=pool,
            schema=jobs.SCHEMA,
            results=False,
            poll_interval=poll,
            heartbeat_interval=min(poll, 10.0),
            heartbeat_ttl=max(DEAD_AFTER, 2.5 * poll),
        )
        self._consumers: dict[str, Any] = {}

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Any:
        """As the library does, but the worker's own beat does not decide how often the database is asked."""
        consumer = super().consume(queue_name, prefetch, int(1000 * self.poll_interval))
        self.notifier.unsubscribe(consumer.channel, consumer.wakeup)
        consumer.wakeup = _Wakeup()
        self.notifier.subscribe(consumer.channel, consumer.wakeup)
        self._consumers[queue_name] = consumer
        return consumer

    def wake(self) -> None:
        """Make every consumer look now, at new messages or at the wish to stop."""
        for consumer in tuple(self._consumers.values()):
            consumer.wakeup.set()


@contextmanager
def open_broker(url: str, *, poll: float) -> Iterator[Broker]:
    """A broker on `url`, which must reach PostgreSQL without a transaction pooler for LISTEN to work."""
    pool = ConnectionPool(
        url,
        min_size=0,
        max_size=12,
        open=True,
        check=ConnectionPool.check_connection,
        kwargs={"prepare_threshold": None, "application_name": "stunity-worker"},
    )
    broker = Broker(pool, poll=poll)
    try:
        yield broker
    finally:
        broker.close()
        pool.close()


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    *,
    queues: Collection[str] = (),
    threads: int = 4,
    areas: Sequence[Area] = AREAS,
) -> None:
    """Run jobs until `stop` is set; then let those that run finish, and put back what has not begun.

    Args:
        settings: the process's settings.
        stop: set it to end.
        queues: serve only these; all when empty.
        threads: how many jobs may run at once.
        areas: whose actors.

    Raises:
        ConfigurationError: there is no such queue, or none at all.
    """
    async with AsyncExitStack() as stack:
        actors = [actor for area in areas for actor in await stack.enter_async_context(area(settings, stop))]
        broker = stack.enter_context(
            open_broker(settings.replication_url, poll=POLL[settings.stunity_profile])
        )
        for actor in actors:
            _declare(broker, actor, asyncio.get_running_loop())
        known = {actor.queue for actor in actors}
        if unknown := set(queues) - known:
            raise ConfigurationError(f"no queue {min(unknown)!r}: there are {', '.join(sorted(known))}")
        await _ask_for_leftovers(settings.replication_url, actors, stop)
        async with _running(broker, set(queues) or None, threads):
            log.info("worker_started", actors=[actor.name for actor in actors], threads=threads)
            await stop.wait()
    log.info("worker_stopped")


@asynccontextmanager
async def _running(broker: Broker, queues: set[str] | None, threads: int) -> AsyncIterator[None]:
    worker = dramatiq.Worker(broker, queues=queues, worker_threads=threads, worker_timeout=500)
    worker.start()
    try:
        yield
    finally:
        stopped = asyncio.create_task(asyncio.to_thread(worker.stop, int(1000 * STOP_WITHIN)))
        while not stopped.done():
            broker.wake()
            await asyncio.wait((stopped,), timeout=0.1)
        await stopped


def _declare(broker: Broker, actor: jobs.Actor, loop: asyncio.AbstractEventLoop) -> None:
    declare = dramatiq.actor(
        actor_name=actor.name,
        queue_name=actor.queue,
        priority=actor.priority,
        broker=broker,
        max_retries=actor.max_retries,
        min_backoff=MIN_BACKOFF_MS,
        max_backoff=MAX_BACKOFF_MS,
        time_limit=int(1000 * actor.time_limit),
    )
    declare(partial(_run_on_loop, actor, loop))


def _run_on_loop(actor: jobs.Actor, loop: asyncio.AbstractEventLoop, *args: Any, **kwargs: Any) -> None:
    """What a thread of dramatiq does for a message: hand over the coroutine and wait for it.

    Raises:
        Retry: a store is away; expected, so it is not logged as a failure.
    """
    future = asyncio.run_coroutine_threadsafe(_outcome(actor.run, *args, **kwargs), loop)
    try:
        while not concurrent.futures.wait((future,), timeout=0.2).done:
            pass  # time limits and shutdown interrupt a thread between two waits
    except Interrupt:
        future.cancel()
        raise
    future.result()


async def _outcome(run: Callable[..., Awaitable[None]], *args: Any, **kwargs: Any) -> None:
    try:
        await run(*args, **kwargs)
    except (Retryable, *TRANSIENT) as error:
        raise Retry(f"{type(error).__name__}: {error}") from error


async def _ask_for_leftovers(url: str, actors: Sequence[jobs.Actor], stop: asyncio.Event) -> None:
    """Start every actor that looks for work by itself: a worker that was killed may have left some.

    Raises:
        ConfigurationError: there is no queue.
    """
    names = [actor for actor in actors if actor.at_start]
    while names:
        try:
            async with connect(url, name="stunity-worker") as conn:
                for actor in names:
                    await jobs.enqueue(conn, actor.name, queue=actor.queue, once=True)
            return
        except UndefinedTable as error:
            raise ConfigurationError("the job queue is not there: run `stunity migrate`") from error
        except (Retryable, *TRANSIENT) as error:
            log.warning("database_unavailable", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
                return
