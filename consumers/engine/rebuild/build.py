"""Filling a shadow: from the truth in bulk or from the log, so that a killed fill goes on where it stopped.

The snapshot S is taken *before* the first row is read, and noted in the shadow's own checkpoint. A row that is read
later may be newer than S, never older; whatever was written after S is in the log after S, and the engine reads those
keys again when it follows. So the fill needs no transaction that stays open, and no row is missed between the two.

Every page carries the place to go on from (`Filled.reached`), which the shadow's store gets every second or so. What is
written twice because of that, or late, is what the rows said: following and the gates come after it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from secrets import token_hex
from time import monotonic
from typing import Final

import structlog

from consumers.engine.applier import Applier
from consumers.engine.catchup import log_reaches
from consumers.engine.checkpoint import Checkpoint, Refill
from consumers.engine.lease import Lease
from consumers.engine.log import Head, Log
from consumers.engine.options import Options
from consumers.engine.patience import Patience, pause
from consumers.engine.positions import NOTHING
from consumers.engine.rebuild.register import Rebuild, Register
from consumers.engine.rebuild.shadow import Filled, Shadows
from consumers.engine.rebuild.steps import OnStep
from consumers.engine.tasks import guarded
from runtime.errors import Retryable

log = structlog.get_logger(__name__)

#: How often a fill tells where it is: the shadow's store (to go on from), and people.
CHECKPOINT_SECONDS: Final = 1.0


class Builder:
    """Fills one shadow under its lease."""

    def __init__(
        self,
        shadows: Shadows,
        register: Register,
        rebuild: Rebuild,
        options: Options,
        stop: asyncio.Event,
        on_step: OnStep,
    ) -> None:
        self._shadows = shadows
        self._register = register
        self._rebuild = rebuild
        self._options = options
        self._stop = stop
        self._on_step = on_step
        self._projection = shadows.projection(rebuild.id)
        self._log = Log(register.pool, self._projection.topics)
        self._patience = Patience(rebuild.shadow, options, stop)
        self._told_at = 0.0

    async def run(self) -> None:
        """Fill to the end.

        Raises:
            StaleOwner: somebody else fills it.
            Stopping: asked to stop; what has been written is kept for the next run.
        """
        lease = Lease(self._register.pool, self._rebuild.shadow, ttl=self._options.lease)
        while not await self._patience.insist(lease.acquire):
            await pause(self._stop, self._options.lease / 10)
        try:
            await guarded(self._fill(lease.generation), lease.keep())
        finally:
            await lease.release()

    async def _fill(self, generation: int) -> None:
        applier = Applier(self._projection, self._log, self._options, generation, self._patience)
        state = await self._patience.insist(applier.start)
        head = await self._patience.insist(self._log.head)
        if state is not None and not log_reaches(state, head):
            await self._patience.insist(partial(self._shadows.drop, self._rebuild.id))
            state = await self._patience.insist(applier.start)
        self._on_step("prepared")
        if state is None:
            state = _beginning(head, from_log=self._rebuild.source == "log")
            await applier.apply((), state, refill=True)
            await applier.clear()  # left behind by an attempt whose checkpoint is lost
        if state.refill:
            state = await self._from_truth(applier, state, generation)
        await self._patience.insist(partial(self._shadows.complete, self._rebuild.id))
        self._on_step("completed")
        await applier.apply((), replace(state, refill=None, served=True), refill=True)

    async def _from_truth(self, applier: Applier, state: Checkpoint, generation: int) -> Checkpoint:
        done = self._rebuild.done if state.refill and state.refill.source else 0
        total = max(await self._patience.insist(self._shadows.rows), done)
        log.info("fill_started", shadow=self._rebuild.shadow, rows=total, done=done)
        failures = 0
        while True:
            after = state.refill if state.refill and state.refill.source else None
            try:
                async for step in self._shadows.fill(self._rebuild.id, generation, after):
                    state, done, failures = replace(state, refill=step.reached), done + step.rows, 0
                    await self._keep(applier, state, step, done, total)
                break
            except Retryable as error:
                failures += 1
                await self._patience.back_off(failures, error)
        await applier.apply((), state, refill=True)
        await self._patience.insist(
            partial(self._register.progress, self._rebuild.id, "completing", done, done)
        )
        self._on_step("filled")
        return state

    async def _keep(self, applier: Applier, state: Checkpoint, step: Filled, done: int, total: int) -> None:
        if step.refused:
            await applier.apply(step.refused, state, refill=True)
        if monotonic() - self._told_at < CHECKPOINT_SECONDS:
            return
        self._told_at = monotonic()
        await applier.apply((), state, refill=True)
        await self._register.progress(self._rebuild.id, f"filling {step.reached.source}", done, total)
        self._on_step("filling")
        if self._stop.is_set():
            await pause(self._stop, 0)


def _beginning(head: Head, *, from_log: bool) -> Checkpoint:
    """Nothing applied yet. From the log: everything in it, of all epochs, is still to come."""
    life = token_hex(8)
    if from_log:
        return Checkpoint(life, 0, NOTHING, head.taken_at_ms, fill=head.newest_fill)
    return Checkpoint(
        life, head.epoch, head.snapshot, head.taken_at_ms, fill=head.newest_fill, refill=Refill()
    )
