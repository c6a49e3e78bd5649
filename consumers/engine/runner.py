"""The one skeleton of all consumers: own the view by a lease, follow, give it back.

Stopping, in this order: reading stops; the batch in hand is applied, checkpointed and acknowledged; the lease is
released, so that a successor starts at once. A process that is killed instead leaves the entries of its batch
pending and its lease to expire: the successor applies them again, with the same effect.
How events get into the view is `follower.py`, and those of replays `replay/process.py`; which projections there are is
said in `app/wiring.py`.
"""

from __future__ import annotations

import asyncio
import random

import structlog

from consumers.engine.follower import Follower
from consumers.engine.lease import Lease
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.patience import Stopping, pause
from consumers.engine.projection import Projection, StaleOwner
from consumers.engine.replay.process import Replayer
from consumers.engine.stream import Streams
from consumers.engine.tasks import guarded
from runtime.errors import Retryable
from runtime.postgres import Pool
from runtime.redis import Client
from schemas.archive import Archive

log = structlog.get_logger(__name__)


class Runner:
    """Runs one consumer; any number of processes may run the same, one of them owns it at a time."""

    def __init__(
        self,
        projection: Projection,
        pool: Pool,
        redis: Client | None,
        *,
        prefix: str = "stunity",
        options: Options | None = None,
        archive: Archive | None = None,
    ) -> None:
        self.name = projection.name
        self._projection = projection
        self._pool = pool
        self._options = options or Options()
        self._archive = archive
        self._log = Log(pool, projection.topics, getattr(projection, "filled_from", None))
        self._streams = Streams(redis, prefix, projection.name, projection.topics) if redis else None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the view in sync until `stop` is set. Returns only then; a bug is raised."""
        lease = Lease(self._pool, self.name, ttl=self._options.lease)
        while not stop.is_set():
            try:
                if await lease.acquire():
                    await self._own(lease, stop)
                else:
                    await pause(stop, self._options.lease / 10)
            except Stopping:
                break
            except StaleOwner as error:
                log.warning("ownership_lost", consumer=self.name, reason=str(error))
                await self._pause(stop)
            except Retryable as error:
                log.warning("postgres_away", consumer=self.name, error=str(error))
                await self._pause(stop)

    async def _own(self, lease: Lease, stop: asyncio.Event) -> None:
        log.info("consumer_started", consumer=self.name, generation=lease.generation)
        follower = Follower(self._projection, self._log, self._streams, self._options, lease.generation, stop)
        replayer = Replayer(self.name, self._log, follower.applier, self._options, self._archive, stop)
        try:
            await guarded(guarded(follower.run(), lease.keep()), replayer.run())
        finally:
            await lease.release()
        log.info("consumer_stopped", consumer=self.name)

    async def _pause(self, stop: asyncio.Event) -> None:
        try:
            await pause(stop, random.uniform(0.2, 1.0))  # noqa: S311 - jitter
        except Stopping:
            return
