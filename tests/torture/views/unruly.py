"""Consumers to which things happen: killed, paused for long, overtaken by a successor, cut off from their store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from app import views
from consumers.engine.options import Options
from consumers.engine.projection import Batch, Rejection
from consumers.engine.runner import Runner
from runtime.errors import Retryable
from runtime.postgres import Pool
from runtime.redis import Client
from runtime.settings import Settings

T = TypeVar("T")
FAST = Options(
    block=0.05, log_poll=0.02, rejoin=0.02, upkeep=0.1, checkpoint=0.2, lease=1.0, trim=0.5,
    backoff_first=0.01, backoff_most=0.1,
)  # fmt: skip


@dataclass(slots=True)
class Fate:
    """What is to happen to the next writes of a view's consumer."""

    dice: random.Random
    cuts: int = 0
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()


class Unruly:
    """A projection whose store is behind a bad line: requests and replies get lost, and processes freeze."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Perhaps not now, perhaps without anybody hearing of it."""
        return await self._over_the_line(partial(self._real.apply, batch))

    async def clear(self, generation: int) -> None:
        """The same."""
        await self._over_the_line(partial(self._real.clear, generation))

    async def _over_the_line(self, request: Callable[[], Awaitable[T]]) -> T:
        await self._fate.awake.wait()
        if self._fate.cuts > 0:
            self._fate.cuts -= 1
            if self._fate.dice.random() < 0.5:
                await request()
            raise Retryable("the line was cut")
        return await request()


class Kept:
    """One view and whoever keeps it: a runner, or for a while two of them."""

    def __init__(
        self, name: str, settings: Settings, pool: Pool, client: Client, dice: random.Random
    ) -> None:
        self.name = name
        self.fate = Fate(dice)
        self._settings = settings
        self._pool = pool
        self._client = client
        self._tasks: list[tuple[asyncio.Task[None], asyncio.Event]] = []

    def start(self) -> None:
        """One more process that keeps this view, if it gets to."""
        stop = asyncio.Event()
        self._tasks.append((asyncio.create_task(self._run(stop)), stop))

    async def kill(self) -> None:
        """Every process of it, wherever it stands."""
        tasks, self._tasks = self._tasks, []
        self.fate.awake.set()
        left = {task for task, _ in tasks}
        while left:  # a cancellation may be lost, see consumers/engine/tasks.py
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=15)
        for task, _ in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self) -> None:
        """Every process, cleanly."""
        tasks, self._tasks = self._tasks, []
        self.fate.awake.set()
        for _, stop in tasks:
            stop.set()
        for task, _ in tasks:
            await task

    def check(self) -> None:
        """Raise what a process died of."""
        for task, _ in self._tasks:
            if task.done():
                task.result()
                raise AssertionError(f"a consumer of {self.name} has stopped by itself")

    async def _run(self, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            real = await stack.enter_async_context(views.projection(self.name, self._settings, self._pool))
            unruly: Any = Unruly(real, self.fate)
            runner = Runner(
                unruly, self._pool, self._client, prefix=self._settings.stream_prefix, options=FAST
            )
            await runner.run(stop)
