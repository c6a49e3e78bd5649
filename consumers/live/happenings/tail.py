"""One look at the log for all clients of this process, twice a second, and none while nobody listens.

The log is read, not the streams: it needs neither Redis nor the relay, and a snapshot says exactly what has been told.
Which of the events concern whom is `audience.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from consumers.engine.log import Log
from consumers.live.happenings.audience import may_be_told
from consumers.live.happenings.place import Place
from runtime.errors import Retryable
from runtime.postgres import Pool
from schemas.envelope import Event

TOPICS: Final = frozenset({"post", "engagement", "follow"})
LOOK_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 3.0
PAGE: Final = 500
#: More than this at once (an import, say) is told to nobody one by one: clients are asked to load afresh.
MOST_EVENTS: Final = 5_000
#: A client that lets so many batches pile up is cut off; it comes back with its Last-Event-ID.
MOST_WAITING: Final = 64

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that somebody may be told, in the log's order; `place` when nothing more belongs before it."""

    events: list[Event]
    place: Place | None
    #: There were too many to tell them one by one.
    reset: bool = False


Queue = asyncio.Queue[Batch | None]


class Tail:
    """Follows the log for those who listen."""

    def __init__(self, pool: Pool) -> None:
        self._log = Log(pool, TOPICS)
        self._queues: set[Queue] = set()
        self._place: Place | None = None
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[tuple[Place, Queue]]:
        """Where the tail stands, and a queue with all that comes after; None in it cuts the listener off.

        Raises:
            Retryable: PostgreSQL is away.
        """
        if self._place is None:
            self._place = Place.of(await self._log.head())
        queue: Queue = asyncio.Queue(MOST_WAITING + 1)
        self._queues.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield self._place, queue
        finally:
            self._queues.discard(queue)
            if not self._queues:
                self._task.cancel()
                self._task, self._place = None, None

    async def can_serve(self, place: Place) -> bool:
        """Whether the log still holds everything after a place, and it is of this log's life.

        Raises:
            Retryable: PostgreSQL is away.
        """
        ours = place.epoch <= (await self._log.head()).epoch
        return ours and await self._log.reaches(place.snapshot, place.epoch, place.taken_at_ms)

    async def between(self, since: Place, upto: Place) -> AsyncIterator[Batch]:
        """What became visible from one place to another, in pages.

        Raises:
            Retryable: PostgreSQL is away.
        """
        after = 0
        while True:
            page = await self._log.page(since.snapshot, since.epoch, str(upto.snapshot), after, PAGE)
            more = len(page) == PAGE
            yield Batch([event for event in page if may_be_told(event)], None if more else upto)
            if not more:
                return
            after = page[-1].id

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except Retryable as error:
                log.warning("happenings_wait", why=str(error))
                await asyncio.sleep(AWAY_SECONDS)

    async def _look(self) -> None:
        now, since = Place.of(await self._log.head()), self._place
        assert since is not None
        if now.snapshot == since.snapshot:
            return
        # All pages first: what is handed out half, and then read again, would be told twice.
        batches, events = [], 0
        async for batch in self.between(since, now):
            batches.append(batch)
            events += len(batch.events)
            if events > MOST_EVENTS:
                batches = [Batch([], now, reset=True)]
                break
        self._place = now
        if events:
            for batch in batches:
                self._hand_out(batch)

    def _hand_out(self, batch: Batch) -> None:
        for queue in list(self._queues):
            if queue.qsize() < MOST_WAITING:
                queue.put_nowait(batch)
            else:
                queue.put_nowait(None)
                self._queues.discard(queue)
