"""A rebuild from the beginning to the switch, or from where a killed one stopped.

One process runs a view's rebuild (lease `rebuild:<view>`); everything that it has to remember is in `engine.rebuilds`
and in the shadow's own checkpoint, so any step may be its last. What a shadow is, and how it is filled and switched,
is told in the files beside this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final, Literal

import structlog

from consumers.engine.lease import Lease
from consumers.engine.options import Options
from consumers.engine.patience import Patience
from consumers.engine.projection import StoreForgot
from consumers.engine.rebuild.build import Builder
from consumers.engine.rebuild.gates import GateFailed, Gates
from consumers.engine.rebuild.register import RUNNING, Rebuild, Register
from consumers.engine.rebuild.shadow import Moved, Need, Shadows
from consumers.engine.rebuild.steps import OnStep, no_step
from consumers.engine.rebuild.switch import Switch
from consumers.engine.runner import Runner
from consumers.engine.verification import Verifier
from runtime.errors import Retryable
from runtime.redis import Client

log = structlog.get_logger(__name__)

#: For how long the old view is kept, and kept in sync, when nothing is said, and with --keep-old.
KEEP: Final = timedelta(minutes=15)
KEEP_OLD: Final = timedelta(days=7)
#: A shadow may take this share of what is free, so that the store does not end full.
_SHARE_OF_FREE: Final = 0.8
#: A switch during which a store went away is tried so many times.
_SWITCHES: Final = 3

Source = Literal["truth", "log"]


class Busy(Exception):
    """Another process is rebuilding, or switching, this view."""


class NoRoom(Exception):
    """The store has no room for a second copy."""


class GaveUp(Exception):
    """The rebuild has failed; the view is what it was."""


class Rebuilding:
    """Rebuilds, resumes and rolls back one view."""

    def __init__(
        self,
        shadows: Shadows,
        register: Register,
        client: Client | None,
        options: Options,
        stop: asyncio.Event,
        *,
        prefix: str = "stunity",
        verifier: Verifier | None = None,
        on_step: OnStep = no_step,
        gate_seconds: float = 600.0,
    ) -> None:
        self._shadows = shadows
        self._register = register
        self._client = client
        self._options = options
        self._stop = stop
        self._prefix = prefix
        self._on_step = on_step
        self._patience = Patience(f"rebuild:{shadows.view}", options, stop)
        self._gates = Gates(shadows, register, verifier, stop, gate_seconds)
        self._switch = Switch(shadows, register, options, stop, on_step)

    async def rebuild(self, source: Source, keep: timedelta = KEEP) -> Rebuild:
        """Rebuild the view, or go on with a rebuild that was interrupted; the row, switched.

        Raises:
            Busy: see there.
            NoRoom: see there; nothing was begun.
            GaveUp: a gate stayed closed, or the store changed under it; the shadow will be dropped.
            Stopping: asked to stop; the next call goes on.
        """
        async with self._alone():
            row = await self._register.newest(self._shadows.view, *RUNNING)
            if row is None:
                await self._check_room()
                row = await self._register.begin(self._shadows.view, source, keep)
            else:
                log.info("rebuild_resumed", view=row.view, rebuild=row.id, state=row.state)
            self._on_step("registered")
            try:
                await self._go_on(row)
            except (GateFailed, Moved, StoreForgot) as error:
                await self._register.move(row.id, *RUNNING, to="dropping", error=str(error))
                raise GaveUp(str(error)) from error
            return await self._register.get(row.id)

    async def rollback(self) -> Rebuild | None:
        """Let the view be again what it was before the last switch; None when nothing is kept."""
        async with self._alone():
            row = await self._register.newest(self._shadows.view, *RUNNING)
            if row is not None and row.state == "switching":
                await self._switch.complete(row)
            row = await self._register.newest(self._shadows.view, "kept")
            if row is None:
                return None
            try:
                await self._exchange(row)
            except Moved as error:
                raise GaveUp(str(error)) from error
            return await self._register.get(row.id)

    async def _go_on(self, row: Rebuild) -> None:
        if row.state == "switching":
            if await self._switch.complete(row):
                return
        elif row.state == "filling":
            await self._builder(row).run()
            await self._register.move(row.id, "filling", to="following")
        self._on_step("following")
        await self._follow(await self._register.get(row.id))

    async def _follow(self, row: Rebuild) -> None:
        async with self._following(row) as runner:

            def alive() -> None:
                if runner.done():
                    runner.result()

            await self._gates.open(row, alive=alive)
            self._on_step("checked")
        self._on_step("before_switch")
        await self._exchange(row)
        self._on_step("switched")

    async def _exchange(self, row: Rebuild) -> None:
        """Switch. When a store goes away meanwhile: wait for it, see what has become of the switch, try again.

        Raises:
            Moved: the store does not hold what it should.
            Retryable: every attempt failed.
            Stopping: asked to stop while a store is away; the next call goes on.
        """
        for left in reversed(range(_SWITCHES)):
            try:
                await self._switch.run(row)
                return
            except Retryable as error:
                if not left:
                    raise
                log.warning("switch_interrupted", rebuild=row.id, error=str(error))
            if await self._patience.insist(partial(self._has_happened, row.id)):
                return

    async def _has_happened(self, number: int) -> bool:
        """Whether a switch that was interrupted has happened after all; if not, it is taken back."""
        row = await self._register.get(number)
        return row.state == "switching" and await self._switch.complete(row)

    @asynccontextmanager
    async def _following(self, row: Rebuild) -> AsyncIterator[asyncio.Task[None]]:
        """The shadow is kept in sync by the engine, as any view is."""
        stop = asyncio.Event()
        projection = self._shadows.projection(row.id)
        pool = self._register.pool
        runner = Runner(projection, pool, self._client, prefix=self._prefix, options=self._options)
        task = asyncio.create_task(runner.run(stop), name=row.shadow)
        beside = asyncio.create_task(self._shadows.accompany(row.id, stop))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.gather(task, beside)

    def _builder(self, row: Rebuild) -> Builder:
        return Builder(self._shadows, self._register, row, self._options, self._stop, self._on_step)

    async def _check_room(self) -> None:
        needs = await self._shadows.needs()
        if short := [
            need for need in needs if need.free is not None and need.bytes > need.free * _SHARE_OF_FREE
        ]:
            raise NoRoom("; ".join(map(_shortage, short)))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold the right to change what this view is."""
        lease = Lease(self._register.pool, f"rebuild:{self._shadows.view}", ttl=self._options.lease)
        if not await lease.acquire():
            raise Busy(f"{self._shadows.view} is being rebuilt by another process: see `stunity status`")
        keeper = asyncio.create_task(lease.keep())
        body = asyncio.current_task()
        assert body is not None
        keeper.add_done_callback(lambda task: None if task.cancelled() else body.cancel())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await lease.release()


def _shortage(need: Need) -> str:
    assert need.free is not None
    return f"{need.what}: a second copy takes about {need.bytes >> 20} MiB, {need.free >> 20} MiB are free"
