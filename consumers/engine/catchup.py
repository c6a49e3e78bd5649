"""When the streams can't serve a view: the log does (I10), and when that can't either, the truth (I10b).

One `round` brings everything into the view that became visible since its checkpoint, and, when the streams are
there, names the points from which reading them goes on without a gap: the newest markers are read *before* the
snapshot T is taken, so whatever lies up to their `settled` positions is visible in T and part of the round; what
lies behind them and is visible in T all the same is skipped by `tracker.py`. Rounds repeated are how a view stays
in sync while Redis is down. `refill` makes events from the rows of the truth themselves.

Events are applied in id order. Views that read rows instead of payloads (search, embeddings, feeds) can't bring a
deleted thing back that way; facts (analytics) are undone by their own later events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Final

import structlog

from consumers.engine.applier import Applier
from consumers.engine.checkpoint import Checkpoint, Refill, Scan, StreamState
from consumers.engine.log import Head, Log
from consumers.engine.options import Options
from consumers.engine.patience import Patience
from consumers.engine.positions import NOTHING, covers
from consumers.engine.stream import Streams
from consumers.engine.tasks import ahead
from runtime.redis import TRANSIENT as REDIS_AWAY
from schemas.envelope import Event
from schemas.errors import EventError
from schemas.snapshot import Snapshot

log = structlog.get_logger(__name__)

_LOG_TOO_SHORT: Final = "the log does not reach back to the view's checkpoint"


class CatchUp:
    """The ways of one consumer to get on without its streams."""

    def __init__(
        self,
        consumer: str,
        source: Log,
        streams: Streams | None,
        applier: Applier,
        options: Options,
        patience: Patience,
    ) -> None:
        self._consumer = consumer
        self._log = source
        self._streams = streams
        self._applier = applier
        self._options = options
        self._patience = patience

    async def why_refill(self, checkpoint: Checkpoint | None) -> str | None:
        """Why the view has to be filled from the truth; None when the log can take it from its checkpoint."""
        head = await self._patience.insist(self._log.head)
        why = refill_reason(checkpoint, head)
        return why or (None if await self._reaches(checkpoint) else _LOG_TOO_SHORT)

    async def refill(self, checkpoint: Checkpoint | None, why: str) -> Checkpoint:
        """Make events from the rows of the truth; an interrupted fill goes on where it stopped.

        Readers are sent to PostgreSQL first, then what the truth no longer has is cleared away: nobody may have told
        of it. What changes meanwhile comes from the log afterwards: from the moment on at which the fill began, for a
        fact of before may have gone without a word.
        """
        log.info("refill_started", consumer=self._consumer, why=why)
        sources = await self._patience.insist(self._log.truth_sources)
        state = await self._start_of_refill(checkpoint, sources)
        await self._applier.apply((), state, refill=True)
        if sources and state.refill == Refill():
            await self._applier.clear()
        for source in sources:
            if state.refill and source >= state.refill.source:
                state = await self._fill_from(source, state)
        state = replace(state, refill=None, served=bool(sources))
        await self._applier.apply((), state, refill=True)
        log.info("refill_done", consumer=self._consumer, sources=sources)
        return state

    async def round(self, checkpoint: Checkpoint, *, join: bool) -> Checkpoint:
        """Bring the view up to now; with `join`, the result has stream positions if the streams are there."""
        if checkpoint.scan:
            checkpoint = await self._scan(checkpoint, checkpoint.scan)
        before = await self._patience.insist(self._log.head)
        points = await self._starting_points(before) if join else None
        head = await self._patience.insist(self._log.head) if points else before
        done = await self._scan(checkpoint, Scan(str(head.snapshot), head.epoch, head.taken_at_ms))
        return await self._join(done, points) if points and head.epoch == before.epoch else done

    async def _start_of_refill(self, checkpoint: Checkpoint | None, sources: list[str]) -> Checkpoint:
        head = await self._patience.insist(self._log.head)
        if checkpoint is None or not (log_reaches(checkpoint, head) and await self._reaches(checkpoint)):
            snapshot = head.snapshot if sources else NOTHING  # with no truth to read, the log is all there is
            life = token_hex(8)
            return Checkpoint(
                life, head.epoch, snapshot, head.taken_at_ms, fill=head.newest_fill, refill=Refill()
            )
        if checkpoint.refill:
            return replace(checkpoint, streams={})
        begun = replace(checkpoint, fill=head.newest_fill, streams={}, scan=None, refill=Refill())
        if not sources:
            return begun
        return replace(begun, epoch=head.epoch, snapshot=head.snapshot, taken_at_ms=head.taken_at_ms)

    async def _fill_from(self, source: str, state: Checkpoint) -> Checkpoint:
        """Page by page; each page carries the checkpoint of the one before, so that none is lost with a crash."""
        cursor = state.refill.cursor if state.refill and state.refill.source == source else None
        async with ahead(self._truth_pages(source, cursor)) as pages:
            async for events, reached in pages:
                await self._applier.apply(events, replace(state, refill=Refill(source, cursor)), refill=True)
                self._patience.heed()
                cursor = reached
        return replace(state, refill=Refill(source, cursor))

    async def _truth_pages(
        self, source: str, cursor: str | None
    ) -> AsyncIterator[tuple[list[Event], str | None]]:
        while True:
            read = partial(self._log.truth_page, source, cursor, self._options.fill_events)
            events, cursor = await self._patience.insist(read)
            if not events:
                return
            yield events, cursor

    async def _scan(self, checkpoint: Checkpoint, scan: Scan) -> Checkpoint:
        """Apply what `scan.upto` sees and the checkpoint does not; pages carry the checkpoint of the one before."""
        done = replace(
            checkpoint,
            epoch=scan.epoch,
            snapshot=Snapshot.parse(scan.upto),
            taken_at_ms=scan.taken_at_ms,
            streams={},
            scan=None,
        )
        since = checkpoint.snapshot, checkpoint.epoch, scan.upto
        found = False
        while events := await self._patience.insist(
            partial(self._log.page, *since, scan.after, self._options.batch_events)
        ):
            await self._applier.apply(events, replace(checkpoint, streams={}, scan=scan))
            self._patience.heed()
            scan, found = replace(scan, after=events[-1].id), True
        if not await self._reaches(checkpoint):  # a part of the log has left while it was being read
            return await self.refill(checkpoint, _LOG_TOO_SHORT)
        if found:
            await self._applier.apply((), done)
        else:
            await self._applier.advance(done, tell=False)
        return done

    async def _reaches(self, checkpoint: Checkpoint | None) -> bool:
        if checkpoint is None:
            return False
        if checkpoint.snapshot == NOTHING:  # there is no truth to fill from: what is left of the log is all
            return True
        taken = checkpoint.snapshot, checkpoint.epoch, checkpoint.taken_at_ms
        return await self._patience.insist(partial(self._log.reaches, *taken))

    async def _starting_points(self, head: Head) -> Mapping[str, StreamState] | None:
        if self._streams is None or head.epoch == 0:
            return None
        try:
            return await self._streams.starting_points(self._streams.keys(head.epoch, head.partitions))
        except (*REDIS_AWAY, EventError, ValueError) as error:
            log.debug("streams_unreadable", consumer=self._consumer, error=str(error))
            return None

    async def _join(self, checkpoint: Checkpoint, points: Mapping[str, StreamState]) -> Checkpoint:
        assert self._streams is not None  # there are points
        try:
            await self._streams.start_from(points)
        except REDIS_AWAY as error:
            log.debug("streams_unreachable", consumer=self._consumer, error=str(error))
            return checkpoint
        joined = replace(checkpoint, streams=dict(points))
        await self._applier.apply((), joined)
        log.info("following_streams", consumer=self._consumer, epoch=joined.epoch)
        return joined


def refill_reason(checkpoint: Checkpoint | None, head: Head) -> str | None:
    """Why only the truth can bring the view up to date; None when the log can."""
    if checkpoint is None:
        return "the view is new, or its store was emptied"
    if not log_reaches(checkpoint, head):
        return _LOG_TOO_SHORT
    if checkpoint.refill:
        return "a fill was interrupted"
    return "a fill was asked for" if head.newest_fill > checkpoint.fill else None


def log_reaches(checkpoint: Checkpoint, head: Head) -> bool:
    """Whether the log holds everything since the checkpoint, and the truth has not gone back behind it."""
    if checkpoint.epoch > head.epoch:
        return False
    went_back = checkpoint.epoch == head.epoch and not covers(head.snapshot, checkpoint.snapshot)
    return not went_back and head.can_serve(checkpoint.taken_at_ms)
