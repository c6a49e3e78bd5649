"""Handing batches to a projection so that every event ends in the view, or safely aside, and nothing else is lost.

An outage (`Retryable`) is waited for with back-off and smaller batches: nothing is concluded of the events (I9). Any
other failure is bisected down to the one event that causes it, and only after an empty batch has shown that the
store itself works is that event called poison (I8). What the store holds is `held.py`'s to know. Where events come
from is `follower.py` and `catchup.py`; what becomes of letters is `letterbox.py`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Final

import structlog

from consumers.engine.checkpoint import Checkpoint, save_copy
from consumers.engine.held import Held
from consumers.engine.hydration import wait_until_visible
from consumers.engine.letterbox import Letterbox
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.patience import Patience
from consumers.engine.projection import Projection, Rejection, StaleOwner, StoreForgot
from runtime import telemetry
from runtime.errors import Retryable
from schemas.envelope import Event
from schemas.topics import FACT_TOPICS

log = structlog.get_logger(__name__)

_SMALLEST_BATCH: Final = 20
_SLOW_BATCH_SECONDS: Final = 1.0
#: The innermost frames are kept with a dead letter.
_TRACE_FRAMES: Final = 8
#: Live events of which a replay makes sure that their commits can be seen.
_REMEMBERED: Final = 2000


class Applier:
    """Applies events to one projection under one lease generation."""

    def __init__(
        self, projection: Projection, source: Log, options: Options, generation: int, patience: Patience
    ) -> None:
        self._projection = projection
        self._log = source
        self._options = options
        self._generation = generation
        self._patience = patience
        self._store = Held(projection, source, generation)
        facts = getattr(projection, "facts", FACT_TOPICS)
        self._letters = Letterbox(projection.name, source, patience, facts)
        self._limit = options.batch_events
        self._stored: Checkpoint | None = None
        self._stored_at = 0.0
        self._turn = asyncio.Lock()  # live batches and slices of a replay, one after the other
        self._recent: deque[Event] = deque(maxlen=_REMEMBERED)

    async def start(self) -> Checkpoint | None:
        """Prepare the store and read where the view stands; None when it is new, emptied, or can't be read."""
        async with self._turn:
            await self._letters.refresh()
            text = await self._store.open()
            self._stored = None
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
        async with self._turn:
            await self._deliver(events, checkpoint, refill)
            self._stored, self._stored_at = checkpoint, monotonic()
            self._recent.extend(events)
        await self.tell(checkpoint)
        if events:
            self._report(len(events), monotonic() - started, events[0])

    async def clear(self) -> None:
        """Have what a fill would not write over taken out of the view; see `Projection.clear`."""
        async with self._turn:
            await self._patience.insist(partial(self._projection.clear, self._generation))

    async def replay(self, events: Sequence[Event]) -> None:
        """Bring old events into the view once more, between two batches; the checkpoint stays where it is.

        The stream may have told of commits that PostgreSQL does not show yet: a view that asks it whether a fact
        still stands has to wait for these first.

        Raises:
            Retryable: PostgreSQL is away, or nothing is in the view yet.
            StaleOwner, StoreForgot, Stopping: as `apply`.
        """
        async with self._turn:
            if self._stored is None or not self._stored.live:
                raise Retryable(f"{self._projection.name}: the view is being filled")
            async with self._log.connection() as conn:
                await wait_until_visible(conn, self._recent)
            self._recent.clear()
            await self._deliver(events, self._stored, refill=False, replayed=True)

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

        await self._patience.insist(save)

    async def check_store(self) -> None:
        """Look whether the store is still ours; see `Held.check`."""
        if self._stored is not None:
            await self._store.check()

    async def retry_letters(self) -> None:
        """Apply the dead letters that an operator asked for, in the order of the log.

        Raises:
            Retryable: PostgreSQL is away.
        """
        while (letter := await self._letters.next_retry()) is not None:
            async with self._turn:
                failure = await self._patience.insist(partial(self._try_letter, letter.event))
            await self._letters.retried(letter, failure)
        await self._letters.refresh()

    async def _deliver(
        self, events: Sequence[Event], checkpoint: Checkpoint, refill: bool, *, replayed: bool = False
    ) -> None:
        todo = deque([events])
        failures = 0
        while todo:
            part = todo.popleft()
            most = self._limit * (self._options.fill_batches if refill else 1)
            if len(part) > most:
                todo.extendleft((part[most:], part[:most]))
                continue
            part = await self._letters.hold_back(part)
            is_last = not todo
            # Only the last part completes the checkpoint: the others carry the one before.
            reached = checkpoint if is_last or self._stored is None else self._stored
            try:
                rejections = await self._store.write(part, reached, refill=refill, replayed=replayed)
            except Retryable as error:
                failures += 1
                self._limit = max(self._limit // 2, _SMALLEST_BATCH)
                await self._patience.back_off(failures, error)
                await self._check_after_outage()
                todo.appendleft(part)
            except (StaleOwner, StoreForgot):
                raise
            except Exception as error:
                todo.extendleft(reversed(await self._narrow_down(part, error, is_last)))
            else:
                failures = 0
                self._limit = min(self._limit * 2, self._options.batch_events)
                await self._letters.settle(part, rejections)

    async def _narrow_down(
        self, part: Sequence[Event], error: Exception, is_last: bool
    ) -> list[Sequence[Event]]:
        """What remains to be applied after an unexpected failure: halves, or nothing of a poison event."""
        if len(part) > 1:
            middle = len(part) // 2
            return [part[:middle], part[middle:]]
        if not await self._store_works(error):
            return [part]  # it does again: perhaps nothing is wrong with the event
        if not part:
            raise error  # no event to blame: a bug, for a supervisor to show
        log.error(
            "event_rejected", consumer=self._projection.name, event_id=part[0].id, reason=_reason(error)
        )
        await self._letters.settle(part, [Rejection(part[0], _reason(error), _trace(error))])
        return [[]] if is_last else []

    async def _store_works(self, error: Exception) -> bool:
        """Whether an empty batch goes through at once; if not, wait until it does: the event is not what is wrong."""
        failures = 0
        while self._stored is not None:
            try:
                await self._store.write((), self._stored)
                break
            except (StaleOwner, StoreForgot):
                raise
            except Exception as still:
                failures += 1
                log.error("store_broken", consumer=self._projection.name, error=str(error), exc_info=still)
                await self._patience.back_off(failures, still)
                await self._check_after_outage()
        return failures == 0

    async def _try_letter(self, event: Event) -> str | None:
        """None when the view took the event, else why not."""
        assert self._stored is not None  # letters are retried between batches
        try:
            rejections = await self._store.write([event], self._stored)
        except (Retryable, StaleOwner, StoreForgot):
            raise
        except Exception as error:
            if not await self._store_works(error):
                return await self._try_letter(event)
            return _reason(error)
        return rejections[0].reason if rejections else None

    async def _check_after_outage(self) -> None:
        """A store that was away may come back empty: look before anything is written to it."""
        await self._patience.insist(self.check_store)

    def _report(self, events: int, seconds: float, oldest: Event) -> None:
        name = self._projection.name
        telemetry.CONSUMER_EVENTS.labels(name).inc(events)
        telemetry.CONSUMER_BATCH_SECONDS.labels(name).observe(seconds)
        say = log.info if seconds > _SLOW_BATCH_SECONDS else log.debug
        say("batch_applied", consumer=name, events=events, ms=round(seconds * 1000), first=oldest.id)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _trace(error: Exception) -> str:
    """Where it happened, without values."""
    return "".join(traceback.format_exception(error, limit=-_TRACE_FRAMES))
