"""Tidying up, by whoever comes along: old views whose time is over, and what is left of rebuilds that were killed.

The worker calls `sweep` every minute, a rebuild drops what is over before it begins. A shadow is dropped under its
lease, so never under somebody who still writes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

import structlog

from consumers.engine.lease import Lease
from consumers.engine.options import Options
from consumers.engine.rebuild.register import RUNNING, Rebuild, Register
from consumers.engine.rebuild.shadow import Moved, Shadows
from consumers.engine.rebuild.steps import no_step
from consumers.engine.rebuild.switch import Switch
from runtime.errors import ConfigurationError

log = structlog.get_logger(__name__)

#: A rebuild that nobody has gone on with for so long is given up. Seconds.
ABANDONED_AFTER: Final = 900.0

#: Opens a view's shadows; raises ConfigurationError where the view has no store.
Open = Callable[[str], AbstractAsyncContextManager[Shadows]]


async def sweep(
    register: Register, open_shadows: Open, options: Options, *, abandoned_after: float = ABANDONED_AFTER
) -> str:
    """Drop what is over; says what was done."""
    overdue = await register.execute("overdue")
    given_up = 0
    for number in await register.numbers("orphaned", {"seconds": abandoned_after}):
        row = await register.get(number)
        with suppress(ConfigurationError):  # its store is not configured here: somebody else can
            async with open_shadows(row.view) as shadows:
                given_up += await _give_up(row, register, shadows, options)
    dropped = await drop_retired(register, open_shadows, options)
    return f"{overdue} overdue, {given_up} given up, {dropped} dropped"


async def drop_retired(register: Register, open_shadows: Open, options: Options) -> int:
    """Drop the shadows that nothing needs any more and nobody writes to; how many."""
    dropped = 0
    for number in await register.numbers("to_drop"):
        row = await register.get(number)
        with suppress(ConfigurationError):
            async with open_shadows(row.view) as shadows:
                dropped += await _drop(row, register, shadows, options)
    return dropped


async def _drop(row: Rebuild, register: Register, shadows: Shadows, options: Options) -> bool:
    lease = Lease(register.pool, row.shadow, ttl=options.lease)
    if not await lease.acquire():
        return False  # whoever keeps it will notice
    try:
        await shadows.drop(row.id)
    finally:
        await lease.release()
    await register.execute("forget_shadow", {"shadow": row.shadow})
    log.info("old_view_dropped", view=row.view, rebuild=row.id)
    return await register.move(row.id, "dropping", to="dropped")


async def _give_up(row: Rebuild, register: Register, shadows: Shadows, options: Options) -> bool:
    """End a rebuild whose process is gone; one that was killed after its exchange is completed instead."""
    lease = Lease(register.pool, f"rebuild:{row.view}", ttl=options.lease)
    if not await lease.acquire():
        return False
    try:
        if row.state == "switching":
            switch = Switch(shadows, register, options, asyncio.Event(), no_step)
            try:
                await switch.complete(row)
            except Moved as error:
                log.error("exchange_lost", view=row.view, rebuild=row.id, reason=str(error))
        return await register.move(row.id, *RUNNING, to="dropping", error="nobody went on with it")
    finally:
        await lease.release()
