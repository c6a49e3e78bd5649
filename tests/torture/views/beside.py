"""What goes on beside the steps: a rebuild, and replays of the log, while the next misfortunes happen.

A rebuild may give up, and may be killed anywhere; a replay is the owner's work, so it outlives its owners. At a quiet
point both have to come to an end.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

from app import rebuilding, replaying
from consumers.engine.projection import StaleOwner
from consumers.engine.rebuild.process import Busy, GaveUp
from runtime.errors import Retryable
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.support.wait import ended, until

#: A rebuild of so small a world takes a second; the rest is for leases to run out, and for busy machines.
_ENDS_WITHIN: Final = 120.0
#: What a rebuild may end with while its stores are wiped and its lease is lost; the view has to be right all the same.
_GIVES_UP: Final = (GaveUp, Busy, Retryable, StaleOwner)
_OPEN_SQL: Final = "SELECT count(*) FROM engine.jobs WHERE state IN ('queued', 'running')"
_FAILED_SQL: Final = "SELECT consumer, note FROM engine.jobs WHERE state = 'failed'"


class Beside:
    """At most one rebuild, and any number of replays."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._rebuild: asyncio.Task[None] | None = None

    @property
    def rebuilds(self) -> bool:
        """Whether a rebuild is under way."""
        return self._rebuild is not None and not self._rebuild.done()

    async def rebuild(self, view: str) -> None:
        """Begin a rebuild, or go on with one that was killed."""
        await self.kill()
        self._rebuild = asyncio.create_task(self._run(view), name=f"rebuild of {view}")

    async def replay(self, view: str, rate: float) -> None:
        """Ask for all that is in the log once more."""
        wanted = replaying.Wanted(view, "beginning", "now", None, (), rate)
        await replaying.ask(self._settings, wanted)

    async def kill(self) -> None:
        """The rebuild's process is gone, wherever it stood; raises what it had died of before."""
        if self._rebuild is None:
            return
        task, self._rebuild = self._rebuild, None
        await ended(task)
        with suppress(asyncio.CancelledError):
            await task

    async def end(self) -> None:
        """Wait until nothing goes on any more."""
        if self._rebuild is not None:
            await asyncio.wait({self._rebuild}, timeout=_ENDS_WITHIN)
            assert self._rebuild.done(), "a rebuild does not end"
            await self.kill()
        await until(self._replayed, _ENDS_WITHIN, what="all replays have ended")
        async with self._pool.connection() as conn:
            failed = await (await conn.execute(_FAILED_SQL)).fetchall()
        assert not failed, f"replays have failed: {failed}"

    async def _run(self, view: str) -> None:
        with suppress(*_GIVES_UP):
            await rebuilding.run(self._settings, view, lambda one: one.rebuild("truth", keep=timedelta(0)))

    async def _replayed(self) -> bool:
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_OPEN_SQL)).fetchone()
        return row == (0,)
