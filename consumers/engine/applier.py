"""Handing batches to a projection so that every event ends in the view, or safely aside, and nothing else is lost.

An outage (`Retryable`) is waited for with back-off and smaller batches: nothing is concluded of the events (I9). Any
other failure is bisected down to the one event that causes it, and only after an empty batch has shown that the
store itself works is that event called poison (I8). Where events come from is `runner.py` and `catchup.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Final, TypeVar

import structlog

from consumers.engine import dead_letters
from consumers.engine.checkpoint import Checkpoint, save_copy
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.projection import Batch, Projection, Rejection, StaleOwner, StoreForgot
from runtime import telemetry
from runtime.errors import Retryable
from runtime.postgres import Connection
from schemas.envelope import Event

T = TypeVar("T")
log = structlog.get_logger(__name__)

_SMALLEST_BATCH: Final = 20
_SLOW_BATCH_SECONDS: Final = 1.0


class Stopping(Exception):
    """The process has been asked to stop while it was waiting for a store."""


class Applier:
    """Applies events to one projection under one lease generation."""

    def __init__(
        self, projection: Projection, source: Log, options: Options, generation: int, stop: asyncio.Event
    ) -> None:
        self._projection = projection
        self._log = source
        self._options = options
        self._generation = generation
        self._stop = stop
        self._parked = dead_letters.ParkedKeys()
        self._limit = options.batch_events
        self._stored: Checkpoint | None = None
        self._stored_at = 0.0

    async def start(self) -> Checkpoint | None:
        """Prepare the store and read where the view stands; None when it is new, emptied, or can't be read."""
        await self.refresh_parked()
        await self._projection.prepare()
        text = await self._projection.read_checkpoint()
        try:
            self._stored = Checkpoint.load(text) if text else None
        except (ValueError, KeyError, TypeError) as error:
            log.error("checkpoint_unreadable", consumer=self._projection.name, error=str(error))
        return self._stored

    async def apply(self, events: Sequence[Event], checkpoint: Checkpoint, *, refill: bool = False) -> None:
        """Bring events into the view, or set them aside, and store the checkpoint.

        Raises:
            StaleOwner: another process owns the view.
            StoreForgot: the store has been emptied or exchanged since the last batch.
            Stopping: the process is to stop, and the store is away; the batch is not done.
        """
        started = monotonic()
        ready, waiting = self._parked.split(events)
        if waiting:
            await self._set_aside(
                lambda conn: dead_letters.keep_waiting(conn, self._projection.name, waiting)
            )
        await self._deliver(ready, checkpoint, refill)
        self._stored, self._stored_at = checkpoint, monotonic()
        await self.tell(checkpoint)
        if events:
            self._report(len(events), monotonic() - started, events[0])

    async def advance(self, checkpoint: Checkpoint, *, tell: bool) -> bool:
        """Move on without events. The store gets the checkpoint only now and then; True when it has it.

        With `tell`, readers hear of it at once (one of them may be waiting), otherwise together with the store.
        """
        if monotonic() - self._stored_at > self._options.checkpoint:
            await self.apply((), checkpoint)
            return True
        if tell:
            await self.tell(checkpoint)
        return False

    async def tell(self, checkpoint: Checkpoint) -> None:
        """Copy the checkpoint to PostgreSQL, where reads and operators look."""

        async def save() -> None:
            async with self._log.connection() as conn:
                name, topics = self._projection.name, self._projection.topics
                await save_copy(conn, name, topics, self._generation, checkpoint)

        await self.patiently(save)

    async def check_store(self) -> None:
        """Compare the store's checkpoint with the last one that was stored.

        Raises:
            StoreForgot: it is gone, or of another incarnation.
            Retryable: the store is away.
        """
        if self._stored is None:
            return
        try:
            text = await self._projection.read_checkpoint()
            known = text is not None and Checkpoint.load(text).incarnation == self._stored.incarnation
        except Retryable:
            raise
        except Exception as error:  # what held the checkpoint has been dropped: as good as empty
            raise StoreForgot(f"{self._projection.name}: {error}") from error
        if not known:
            raise StoreForgot(f"{self._projection.name}: the store has lost its checkpoint")

    async def retry_letters(self) -> None:
        """Apply the dead letters that an operator asked for, in the order of the log."""
        while not self._stop.is_set():
            async with self._log.connection() as conn:
                letter = await dead_letters.next_retry(conn, self._projection.name)
            if letter is None:
                break
            failure = await self.patiently(partial(self._try_letter, letter.event))
            async with self._log.connection() as conn:
                await dead_letters.retried(conn, self._projection.name, letter, failure)
        await self.refresh_parked()

    async def refresh_parked(self) -> None:
        """Learn which keys have open letters."""
        async with self._log.connection() as conn:
            await self._parked.refresh(conn, self._projection.name)

    async def patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat an action through outages, with back-off and jitter.

        Raises:
            Stopping: the process is to stop.
        """
        failures = 0
        while True:
            try:
                return await action()
            except Retryable as error:
                failures += 1
                await self._back_off(failures, error)

    async def _deliver(self, events: Sequence[Event], checkpoint: Checkpoint, refill: bool) -> None:
        todo = deque([events])
        failures = 0
        while todo:
            part = todo.popleft()
            if len(part) > self._limit:
                todo.extendleft((part[self._limit :], part[: self._limit]))
                continue
            part = await self._hold_back_parked(part)
            is_last = not todo
            try:
                rejections = await self._projection.apply(self._batch(part, checkpoint, is_last, refill))
            except Retryable as error:
                failures += 1
                self._limit = max(self._limit // 2, _SMALLEST_BATCH)
                await self._back_off(failures, error)
                await self._check_after_outage()
                todo.appendleft(part)
            except (StaleOwner, StoreForgot):
                raise
            except Exception as error:
                todo.extendleft(reversed(await self._narrow_down(part, error, is_last)))
            else:
                failures = 0
                self._limit = min(self._limit * 2, self._options.batch_events)
                await self._settle(part, rejections)

    def _batch(self, events: Sequence[Event], checkpoint: Checkpoint, is_last: bool, refill: bool) -> Batch:
        """Only the last part completes the checkpoint: the others carry the one before."""
        reached = checkpoint if is_last or self._stored is None else self._stored
        return Batch(events, reached.dump(), self._generation, refill)

    async def _narrow_down(
        self, part: Sequence[Event], error: Exception, is_last: bool
    ) -> list[Sequence[Event]]:
        """What remains to be applied after an unexpected failure: halves, or nothing of a poison event."""
        if len(part) > 1:
            middle = len(part) // 2
            return [part[:middle], part[middle:]]
        if not await self._store_works(error):
            return [part]  # it does again: perhaps nothing is wrong with the event
        if part:
            reason = f"{type(error).__name__}: {error}"
            log.error("event_rejected", consumer=self._projection.name, event_id=part[0].id, exc_info=error)
            await self._settle(part, [Rejection(part[0], reason)])
        return [[]] if is_last else []

    async def _store_works(self, error: Exception) -> bool:
        """Whether an empty batch goes through at once; if not, wait until it does: the event is not what is wrong."""
        failures = 0
        while self._stored is not None:
            try:
                await self._projection.apply(Batch((), self._stored.dump(), self._generation))
                break
            except (StaleOwner, StoreForgot):
                raise
            except Exception as still:
                failures += 1
                log.error("store_broken", consumer=self._projection.name, error=str(error), exc_info=still)
                await self._back_off(failures, still)
                await self._check_after_outage()
        return failures == 0

    async def _hold_back_parked(self, part: Sequence[Event]) -> Sequence[Event]:
        """The events that need not wait behind a letter."""
        ready, waiting = self._parked.split(part)
        if waiting:
            await self._set_aside(partial(_keep_waiting, self._projection.name, waiting))
        return ready

    async def _settle(self, part: Sequence[Event], rejections: Sequence[Rejection]) -> None:
        name = self._projection.name
        rejected = {id(rejection.event) for rejection in rejections}
        if rejections:
            telemetry.CONSUMER_DEAD_LETTERS.labels(name).inc(len(rejections))
            log.warning(
                "dead_letters", consumer=name, count=len(rejections), reason=rejections[0].reason[:200]
            )
            await self._set_aside(partial(_write_letters, name, rejections, part))
            self._parked.park(rejection.event for rejection in rejections)
        settled = self._parked.superseded_by(event for event in part if id(event) not in rejected)
        if settled:
            await self._set_aside(partial(_supersede, name, settled))
            await self.patiently(self.refresh_parked)

    async def _try_letter(self, event: Event) -> str | None:
        """None when the view took the event, else why not."""
        assert self._stored is not None  # letters are retried between batches
        try:
            rejections = await self._projection.apply(Batch([event], self._stored.dump(), self._generation))
        except (Retryable, StaleOwner, StoreForgot):
            raise
        except Exception as error:
            if not await self._store_works(error):
                return await self._try_letter(event)
            return f"{type(error).__name__}: {error}"
        return rejections[0].reason if rejections else None

    async def _set_aside(self, write: Callable[[Connection], Awaitable[None]]) -> None:
        async def once() -> None:
            async with self._log.connection() as conn:
                await write(conn)

        await self.patiently(once)

    async def _check_after_outage(self) -> None:
        """A store that was away may come back empty: look before anything is written to it."""
        await self.patiently(self.check_store)

    async def _back_off(self, failures: int, error: Exception) -> None:
        telemetry.CONSUMER_OUTAGES.labels(self._projection.name).inc()
        if failures in (1, 10):
            log.warning(
                "waiting_for_store", consumer=self._projection.name, failures=failures, error=str(error)
            )
        longest = min(self._options.backoff_first * 2 ** (failures - 1), self._options.backoff_most)
        await pause(self._stop, longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _report(self, events: int, seconds: float, oldest: Event) -> None:
        name = self._projection.name
        telemetry.CONSUMER_EVENTS.labels(name).inc(events)
        telemetry.CONSUMER_BATCH_SECONDS.labels(name).observe(seconds)
        say = log.info if seconds > _SLOW_BATCH_SECONDS else log.debug
        say("batch_applied", consumer=name, events=events, ms=round(seconds * 1000), first=oldest.id)


async def _write_letters(
    consumer: str, rejections: Sequence[Rejection], part: Sequence[Event], conn: Connection
) -> None:
    """Letters for the rejected; later facts of their keys are applied once more behind them, when that is time."""
    await dead_letters.set_aside(conn, consumer, rejections)
    await dead_letters.keep_waiting(conn, consumer, dead_letters.behind(rejections, part))


async def _keep_waiting(consumer: str, events: Sequence[Event], conn: Connection) -> None:
    await dead_letters.keep_waiting(conn, consumer, events)


async def _supersede(consumer: str, keys: Sequence[dead_letters.Key], conn: Connection) -> None:
    await dead_letters.supersede(conn, consumer, keys)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, unless the process is asked to stop.

    Raises:
        Stopping: it is.
    """
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
    raise Stopping
