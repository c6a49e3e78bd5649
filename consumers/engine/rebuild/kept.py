"""Keeping the view of before in sync until it is dropped, so that a rollback is instant and current.

Runs in the process that consumes the view, beside it, under the shadow's name: the same engine, another place.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from consumers.engine.options import Options
from consumers.engine.patience import Stopping, pause
from consumers.engine.rebuild.register import Register
from consumers.engine.rebuild.shadow import Shadows
from consumers.engine.runner import Runner
from runtime.errors import Retryable
from runtime.redis import Client

log = structlog.get_logger(__name__)


class Keeper:
    """Looks now and then whether there is an old view to keep."""

    def __init__(
        self, shadows: Shadows, register: Register, client: Client | None, options: Options, *, prefix: str
    ) -> None:
        self._shadows = shadows
        self._register = register
        self._client = client
        self._options = options
        self._prefix = prefix

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Returns only then."""
        while not stop.is_set():
            number = await self._kept()
            if number is None:
                with suppress(Stopping):
                    await pause(stop, self._options.upkeep)
            else:
                await self._keep(number, stop)

    async def _keep(self, number: int, stop: asyncio.Event) -> None:
        log.info("keeping_old_view", view=self._shadows.view, rebuild=number)
        over = asyncio.Event()
        projection = self._shadows.projection(number)
        runner = Runner(
            projection, self._register.pool, self._client, prefix=self._prefix, options=self._options
        )
        task = asyncio.create_task(runner.run(over), name=projection.name)
        try:
            with suppress(Stopping):
                while not task.done() and await self._kept(number) == number:
                    await pause(stop, self._options.upkeep)
        finally:
            over.set()
            await task

    async def _kept(self, otherwise: int | None = None) -> int | None:
        try:
            row = await self._register.newest(self._shadows.view, "kept", "switching")
        except Retryable:
            return otherwise
        return row.id if row and row.switched_at else None
