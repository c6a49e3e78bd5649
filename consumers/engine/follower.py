"""Keeping one view in sync while this process owns it: begin where the view stands, then follow.

There are two ways to follow. On *streams*: own pending entries first, then new ones; decode, decide (`tracker.py`),
apply, checkpoint, acknowledge. On the *log*: rounds of `catchup.py`, until the streams are there (again). Whatever
is wrong with a stream ends in a round; nothing that Redis forgets can be missed. Owning is `runner.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Final

import structlog

from consumers.engine.applier import Applier
from consumers.engine.catchup import CatchUp
from consumers.engine.checkpoint import Checkpoint
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.patience import Patience, Stopping, pause
from consumers.engine.positions import STREAM_START, StreamId
from consumers.engine.projection import Projection, StoreForgot
from consumers.engine.reading import Reading
from consumers.engine.repair.requests import fulfil
from consumers.engine.stream import Delivered, Streams, advance
from consumers.engine.tracker import Lost, Tracker, Verdict
from consumers.engine.trimming import Trimmer
from runtime import telemetry
from runtime.errors import Retryable
from runtime.redis import TRANSIENT as REDIS_AWAY
from schemas.envelope import Event
from schemas.errors import EventError

#: More than this is acknowledged at once, whatever the options say: Redis keeps pending entries in memory.
_MOST_PENDING: Final = 5000
#: Streams that can't be joined, or not for long, are tried less and less often, up to so many times `Options.rejoin`.
_LONGEST_REJOIN: Final = 8

log = structlog.get_logger(__name__)


class Follower:
    """One consumer under one lease generation."""

    def __init__(
        self,
        projection: Projection,
        source: Log,
        streams: Streams | None,
        options: Options,
        generation: int,
        stop: asyncio.Event,
    ) -> None:
        self._name = projection.name
        self._log = source
        self._streams = streams
        self._options = options
        self._stop = stop
        self._patience = patience = Patience(projection.name, options, stop)
        self._applier = Applier(projection, source, options, generation, patience)
        self._catchup = CatchUp(projection.name, source, streams, self._applier, options, patience)
        self._trimmer = Trimmer(projection.name, source, streams, options) if streams else None
        self._pending: dict[str, StreamId] | None = None
        self._unacknowledged: list[Delivered] = []
        self._acknowledged_at = monotonic()
        self._reading = Reading()
        self._rejoin_at = 0.0
        self._rejoin_pause = 0.0
        self._upkeep_at = 0.0
        self._store_check_at = 0.0

    @property
    def applier(self) -> Applier:
        """The one way into the view, for what happens beside following it."""
        return self._applier

    async def run(self) -> None:
        """Follow until stopped.

        Raises:
            StaleOwner: another process has taken over.
            Stopping: stopped while a store was away.
        """
        while not self._stop.is_set():
            try:
                checkpoint = await self._begin()
                while not self._stop.is_set():
                    checkpoint = await self._step(checkpoint)
                await self._reading.give_up()
                await self._finish(checkpoint)
            except StoreForgot as reason:
                log.warning("store_forgot", consumer=self._name, reason=str(reason))
                await pause(self._stop, self._options.backoff_first)
            finally:
                await self._reading.give_up()

    async def _begin(self) -> Checkpoint:
        """Where the view stands: as its store says, filled from the truth when that says nothing useful."""
        checkpoint = await self._patience.insist(self._applier.start)
        why = await self._catchup.why_refill(checkpoint)
        if checkpoint is None or why:
            return await self._catchup.refill(checkpoint, why or "the view is new")
        return await self._resume(checkpoint)

    async def _resume(self, checkpoint: Checkpoint) -> Checkpoint:
        """Go on in the streams when they are the ones that the checkpoint speaks of."""
        if self._streams and checkpoint.streams:
            with suppress(*REDIS_AWAY, EventError):
                if await self._streams.resume(checkpoint.streams):
                    self._pending = dict.fromkeys(checkpoint.streams, STREAM_START)
                    return checkpoint
        return replace(checkpoint, streams={})

    async def _step(self, checkpoint: Checkpoint) -> Checkpoint:
        if not checkpoint.streams:
            return await self._upkeep(await self._follow_log(checkpoint), idle=True)
        try:
            delivered = await self._read(checkpoint)
            for events, entries, reached in self._batches(delivered, checkpoint):
                self._unacknowledged += entries
                await self._apply(events, reached)
                if reached.snapshot != checkpoint.snapshot:
                    self._rejoin_pause = 0.0  # a marker on every stream: they are sound
                checkpoint = reached
            if not delivered and self._unacknowledged:
                await self._apply([], checkpoint)
        except (Lost, *REDIS_AWAY) as reason:
            log.warning("leaving_streams", consumer=self._name, reason=str(reason))
            telemetry.CONSUMER_CATCH_UPS.labels(self._name).inc()
            self._postpone_joining()
            return await self._leave_streams(checkpoint)
        checkpoint = await self._upkeep(checkpoint, idle=not delivered)
        if self._options.gather and 0 < len(delivered) < self._options.batch_events:
            with suppress(Stopping):
                await pause(self._stop, self._options.gather)
        return checkpoint

    async def _follow_log(self, checkpoint: Checkpoint) -> Checkpoint:
        join = self._streams is not None and monotonic() >= self._rejoin_at
        checkpoint = await self._catchup.round(checkpoint, join=join)
        if checkpoint.streams:
            return checkpoint
        if join:
            self._postpone_joining()
        await pause(self._stop, self._options.log_poll)
        return checkpoint

    async def _read(self, checkpoint: Checkpoint) -> list[Delivered]:
        assert self._streams is not None  # the checkpoint has streams
        count = self._options.read_count
        if self._pending is not None:
            delivered = await self._streams.read_pending(self._pending, count)
            self._pending = advance(self._pending, delivered) if delivered else None
            return delivered
        keys, block = tuple(checkpoint.streams), self._options.block
        read = partial(self._streams.read_new, keys, count, block)
        return await self._reading.wait(read, self._stop, self._options.upkeep)

    def _batches(
        self, delivered: Sequence[Delivered], checkpoint: Checkpoint
    ) -> Iterator[tuple[list[Event], list[Delivered], Checkpoint]]:
        """Events to apply, entries done with them, and the checkpoint they lead to; at once what is there.

        Raises:
            Lost: the stream can't be trusted from some entry on; what stands before it has been yielded.
        """
        tracker, lost = Tracker(checkpoint), None
        events: list[Event] = []
        entries: list[Delivered] = []
        size = 0
        for one in delivered:
            try:
                verdict = tracker.accept(
                    one.stream, one.id, one.n, one.entry, pending=self._pending is not None
                )
            except Lost as reason:
                lost = reason
                break
            entries.append(one)
            if verdict is Verdict.APPLY and isinstance(one.entry, Event):
                events.append(one.entry)
                size += one.size
            if len(events) >= self._options.batch_events or size >= self._options.batch_bytes:
                yield events, entries, tracker.checkpoint()
                events, entries, size = [], [], 0
        if entries:
            yield events, entries, tracker.checkpoint()
        if lost:
            raise lost

    async def _apply(self, events: list[Event], checkpoint: Checkpoint) -> None:
        """Apply, then acknowledge, at once or a little later; what the view's store has not heard of stays pending."""
        assert self._streams is not None  # entries came from there
        if events:
            await self._applier.apply(events, checkpoint)
        elif not await self._applier.advance(checkpoint, tell=True):
            return
        due = monotonic() >= self._acknowledged_at + self._options.acknowledge
        if due or len(self._unacknowledged) > _MOST_PENDING:
            done, self._unacknowledged = self._unacknowledged, []
            self._acknowledged_at = monotonic()
            await self._streams.acknowledge(done)

    async def _finish(self, checkpoint: Checkpoint) -> None:
        """Nothing is read any more: let the store have the last word that readers have heard."""
        if self._unacknowledged and self._streams:
            await self._applier.apply((), checkpoint)
            with suppress(*REDIS_AWAY):
                await self._streams.acknowledge(self._unacknowledged)

    def _postpone_joining(self) -> None:
        """Each failure in a row makes the next attempt wait longer; a first one does not."""
        self._rejoin_at = monotonic() + self._rejoin_pause
        longest = self._options.rejoin * _LONGEST_REJOIN
        self._rejoin_pause = min(max(self._rejoin_pause * 2, self._options.rejoin), longest)

    async def _leave_streams(self, checkpoint: Checkpoint) -> Checkpoint:
        await self._reading.give_up()
        self._pending = None
        self._unacknowledged.clear()
        return replace(checkpoint, streams={})

    async def _upkeep(self, checkpoint: Checkpoint, *, idle: bool) -> Checkpoint:
        """Now and then: is a fill wanted, a letter to be retried, has the epoch moved, is the store still ours?"""
        if monotonic() < self._upkeep_at:
            return checkpoint
        self._upkeep_at = monotonic() + self._options.upkeep
        try:
            head = await self._log.head()
            if monotonic() >= self._store_check_at:
                self._store_check_at = monotonic() + self._options.store_check
                await self._applier.check_store()
            await self._applier.retry_letters()
            await fulfil(self._log, self._name, lambda events: self._applier.apply(events, checkpoint))
            if self._trimmer and checkpoint.streams:
                await self._trimmer.trim_if_due(checkpoint.epoch)
        except Retryable as error:
            log.debug("upkeep_postponed", consumer=self._name, error=str(error))
            return checkpoint
        if head.newest_fill > checkpoint.fill:
            left = await self._leave_streams(checkpoint)
            return await self._catchup.refill(left, "a fill was asked for")
        if checkpoint.streams and idle and head.epoch > checkpoint.epoch:
            return await self._leave_streams(checkpoint)
        return checkpoint
