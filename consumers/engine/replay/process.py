"""Working on replays: by the process that owns the view, a slice at a time between two live batches.

A live batch waits for one slice at most (`Applier.replay` takes turns), and the rate leaves room for others that use
the same stores. After each slice the progress is written down; there the wish to pause or cancel is noticed too. A
process that dies leaves the job running, and the view's next owner goes on with it. Which events: `source.py`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Final

import structlog

from consumers.engine import jobs
from consumers.engine.applier import Applier
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.patience import Stopping, pause
from consumers.engine.projection import StoreForgot
from consumers.engine.replay.request import KIND, Cursor, Replay
from consumers.engine.replay.source import Source
from runtime.errors import ConfigurationError, Permanent, Retryable
from schemas.archive import Archive

log = structlog.get_logger(__name__)

#: After each slice, so that whoever shares the event loop has a turn.
_BREATH: Final = 0.001


class Replayer:
    """The replays of one consumer, under one lease generation."""

    def __init__(
        self,
        consumer: str,
        source: Log,
        applier: Applier,
        options: Options,
        archive: Archive | None,
        stop: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._log = source
        self._applier = applier
        self._options = options
        self._archive = archive
        self._stop = stop

    async def run(self) -> None:
        """Work on one replay after the other; ends by being cancelled, when the view is not followed any more.

        Raises:
            StaleOwner: another process owns the view.
        """
        with suppress(Stopping):
            while True:
                try:
                    if not await self._work_on_one():
                        await pause(self._stop, self._options.upkeep)
                except (Retryable, StoreForgot) as error:
                    log.info("replay_waits", consumer=self._consumer, reason=str(error))
                    await pause(self._stop, self._options.backoff_first * 5)
        await asyncio.Event().wait()

    async def _work_on_one(self) -> bool:
        """Go on with the oldest replay that wants to be; False when there is none."""
        async with self._log.connection() as conn:
            taken = await jobs.take(conn, KIND, self._consumer)
        if taken is None:
            return False
        log.info("replay_goes_on", consumer=self._consumer, job=taken.id, done=taken.done, total=taken.total)
        try:
            await self._replay(taken)
        except (ConfigurationError, Permanent, ValueError, KeyError, TypeError) as error:
            log.error("replay_failed", consumer=self._consumer, job=taken.id, exc_info=error)
            async with self._log.connection() as conn:
                await jobs.finish(conn, taken.id, "failed", f"{type(error).__name__}: {error}")
        return True

    async def _replay(self, taken: jobs.Taken) -> None:
        replay, cursor = Replay.load(taken.arguments), Cursor.load(taken.cursor)
        source = Source(self._log, self._archive, replay, cursor)
        done = taken.done
        while True:
            started = monotonic()
            events = await source.page()
            if events is None:
                return await self._finish(taken, cursor)
            if events:
                await self._applier.replay(events)
            done += len(events)
            worked = monotonic() - started
            if not await self._tell(taken.id, cursor, done, len(events), worked):
                log.info("replay_stopped", consumer=self._consumer, job=taken.id)
                return None
            await pause(self._stop, max(len(events) / replay.rate - worked, _BREATH))

    async def _tell(self, job: int, cursor: Cursor, done: int, applied: int, worked: float) -> bool:
        async with self._log.connection() as conn:
            return await jobs.progress(
                conn, job, cursor=cursor.dump(), done=done, applied=applied, worked=worked
            )

    async def _finish(self, taken: jobs.Taken, cursor: Cursor) -> None:
        missing = f"not archived, so not replayed: {', '.join(cursor.skipped)}" if cursor.skipped else None
        async with self._log.connection() as conn:
            await jobs.finish(conn, taken.id, "done", missing)
        log.info("replay_done", consumer=self._consumer, job=taken.id, missing=cursor.skipped)
