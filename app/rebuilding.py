"""Rebuilds from the command line and the worker: settings become stores, shadows and verifiers; progress is shown.

What a rebuild does, and in which order, is `consumers/engine/rebuild/`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from typing import Final, TypeVar

import structlog

from app import views
from consumers.engine.options import Options
from consumers.engine.pace import Pace
from consumers.engine.rebuild.process import Rebuilding
from consumers.engine.rebuild.register import RUNNING, Rebuild, Register
from consumers.engine.rebuild.steps import STEPS, OnStep, Step, no_step
from consumers.engine.rebuild.sweep import ABANDONED_AFTER, drop_retired, sweep
from consumers.engine.verification import Verifier
from runtime.errors import ConfigurationError, Retryable
from runtime.jobs import Actor
from runtime.postgres import Pool, open_pool
from runtime.redis import open_client
from runtime.settings import Profile, Settings

T = TypeVar("T")
#: Called with the row of the running rebuild whenever it may have moved.
Show = Callable[[Rebuild], None]

log = structlog.get_logger(__name__)

TIDY: Final = "rebuilds.tidy"
QUEUE: Final = "rebuilds"
_LOOK_SECONDS: Final = 0.5
#: Failpoints for crash tests, as the relay has them: `STUNITY_FAILPOINT=<step>` ends the process there.
_FAILPOINT: Final = "STUNITY_FAILPOINT"


async def run(
    settings: Settings, view: str, work: Callable[[Rebuilding], Awaitable[T]], show: Show | None = None
) -> T:
    """Do something with a view's rebuilds until it is done or the process is asked to stop.

    Raises:
        ConfigurationError: there is no such view, or it has no store.
        Stopping: SIGTERM or SIGINT.
    """
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
            stack.callback(asyncio.get_running_loop().remove_signal_handler, number)
        pool = await stack.enter_async_context(
            open_pool(settings.database_url, max_size=8, name="stunity-rebuild")
        )
        register = Register(pool)
        options = Options.of(settings.stunity_profile)
        await drop_retired(register, partial(views.shadows, settings=settings, pool=pool), options)
        rebuilding = await stack.enter_async_context(
            open_rebuilding(settings, view, register, options, stop, _on_step())
        )
        watching = asyncio.create_task(_watch(register, view, show)) if show else None
        try:
            return await work(rebuilding)
        finally:
            if watching:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def open_rebuilding(
    settings: Settings, view: str, register: Register, options: Options, stop: asyncio.Event, on_step: OnStep
) -> AsyncIterator[Rebuilding]:
    """The rebuilds of one view on the stores of these settings.

    Raises:
        ConfigurationError: there is no such view, or it has no store.
    """
    async with AsyncExitStack() as stack:
        shadows = await stack.enter_async_context(views.shadows(view, settings, register.pool))
        client = None
        if settings.redis_url:
            client = await stack.enter_async_context(
                open_client(settings.redis_url, timeout=options.block + 5, name="stunity-rebuild")
            )
        yield Rebuilding(
            shadows,
            register,
            client,
            options,
            stop,
            prefix=settings.stream_prefix,
            verifier=await stack.enter_async_context(verifier_of(view, settings, register.pool)),
            on_step=on_step,
        )


@asynccontextmanager
async def verifier_of(view: str, settings: Settings, pool: Pool) -> AsyncIterator[Verifier | None]:
    """What proves that a shadow equals the truth; None for a view that has no such thing."""
    module = f"consumers.{view}.verification"
    if find_spec(module) is None:
        yield None
        return
    async with importlib.import_module(module).verifier(settings, pool, Pace()) as made:
        yield made


async def _watch(register: Register, view: str, show: Show) -> None:
    while True:
        with suppress(Retryable):
            if (row := await register.newest(view, *RUNNING)) is not None:
                show(row)
        await asyncio.sleep(_LOOK_SECONDS)


def _on_step() -> OnStep:
    name = os.environ.get(_FAILPOINT)
    if not name:
        return no_step
    if name not in STEPS:
        raise ConfigurationError(f"{_FAILPOINT}={name}: known steps are {', '.join(STEPS)}")

    def die(step: Step) -> None:
        if step == name:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    return die


@asynccontextmanager
async def actors(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Sequence[Actor]]:
    """The job that drops old views whose time is over, and what killed rebuilds have left."""

    async def tidy() -> None:
        async with open_pool(settings.database_url, max_size=4, name="stunity-rebuilds") as pool:
            await sweep_with(settings, pool, Options.of(settings.stunity_profile))

    yield (Actor(TIDY, tidy, queue=QUEUE, max_retries=3, priority=60, at_start=True),)


def chores(settings: Settings) -> list[tuple[str, str, timedelta]]:
    """When the job is asked for."""
    minutes = 10 if settings.stunity_profile is Profile.ECONOMY else 1
    return [(TIDY, QUEUE, timedelta(minutes=minutes))]


async def sweep_with(
    settings: Settings, pool: Pool, options: Options, *, abandoned_after: float = ABANDONED_AFTER
) -> str:
    """Tidy up on the stores of these settings."""
    shadows = partial(views.shadows, settings=settings, pool=pool)
    return await sweep(Register(pool), shadows, options, abandoned_after=abandoned_after)
