"""Consumers to which things happen: killed, frozen anywhere, overtaken by a successor, cut off, fed with poison."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
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
from tests.support.wait import ended

T = TypeVar("T")
FAST = Options(
    block=0.05, log_poll=0.02, rejoin=0.02, upkeep=0.1, checkpoint=0.2, lease=1.0, trim=0.5,
    backoff_first=0.01, backoff_most=0.1,
)  # fmt: skip


@dataclass(slots=True)
class Line:
    """What lies between a view's processes and its store, and what the store will not take."""

    dice: random.Random
    cuts: int = 0
    poison: set[str] = field(default_factory=set)

    async def over(self, request: Callable[[], Awaitable[T]]) -> T:
        """Perhaps not now, perhaps without anybody hearing of it."""
        if self.cuts > 0:
            self.cuts -= 1
            if self.dice.random() < 0.5:
                await request()
            raise Retryable("the line was cut")
        return await request()


class Sleep:
    """One process's: frozen, it stands where it is, between reading and writing too."""

    def __init__(self) -> None:
        self._awake = asyncio.Event()
        self._awake.set()
        self._goes_on_for = 0

    def freeze(self, steps: int = 0) -> None:
        """From its next step on, or from one of the steps behind that."""
        self._goes_on_for = steps
        self._awake.clear()

    def thaw(self) -> None:
        """It goes on."""
        self._awake.set()

    async def step(self) -> None:
        """Where a process may freeze."""
        if self._goes_on_for > 0:
            self._goes_on_for -= 1
        else:
            await self._awake.wait()


class Drowsy:
    """Something whose coroutines may freeze before they begin: what was sent late arrives late."""

    def __init__(self, real: Any, sleep: Sleep) -> None:
        self._real = real
        self._sleep = sleep

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def later(*args: Any, **options: Any) -> Any:
            await self._sleep.step()
            return await found(*args, **options)

        return later


class DrowsyPool(Drowsy):
    """Connections after whose use a process may freeze: it has read, and has not written yet."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """One from the pool."""
        async with self._real.connection() as conn:
            yield conn
        await self._sleep.step()


class Unruly:
    """A projection with a bad line and a sleep of its own."""

    def __init__(self, real: Any, line: Line, sleep: Sleep) -> None:
        self._real = real
        self._line = line
        self._sleep = sleep
        real._store = Drowsy(real._store, sleep)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Not with poison in it."""
        await self._sleep.step()
        kinds = {event.type.rpartition(".")[0] for event in batch.events}
        if bad := self._line.poison & kinds:
            raise ValueError(f"poison: {bad}")
        return await self._line.over(partial(self._real.apply, batch))

    async def clear(self, generation: int) -> None:
        """The same."""
        await self._sleep.step()
        await self._line.over(partial(self._real.clear, generation))


@dataclass(slots=True)
class Process:
    """One that keeps a view, or would like to."""

    task: asyncio.Task[None]
    stop: asyncio.Event
    sleep: Sleep


class Kept:
    """One view and whoever keeps it: a process, or for a while two of them."""

    def __init__(
        self, name: str, settings: Settings, pool: Pool, client: Client, dice: random.Random
    ) -> None:
        self.name = name
        self.line = Line(dice)
        self._settings = settings
        self._pool = pool
        self._client = client
        self._processes: list[Process] = []

    def start(self) -> None:
        """One more process that keeps this view, if it gets to."""
        stop, sleep = asyncio.Event(), Sleep()
        self._processes.append(Process(asyncio.create_task(self._run(stop, sleep)), stop, sleep))

    def freeze(self, steps: int) -> list[Sleep]:
        """Every process that there is now, after so many steps; what wakes them."""
        sleeps = [process.sleep for process in self._processes]
        for sleep in sleeps:
            sleep.freeze(steps)
        return sleeps

    async def kill(self) -> None:
        """Every process of it, wherever it stands."""
        tasks = [process.task for process in self._leave()]
        await ended(*tasks)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self) -> None:
        """Every process, cleanly."""
        processes = self._leave()
        for process in processes:
            process.stop.set()
        for process in processes:
            await process.task

    def check(self) -> None:
        """Raise what a process died of."""
        for process in self._processes:
            if process.task.done():
                process.task.result()
                raise AssertionError(f"a consumer of {self.name} has stopped by itself")

    def _leave(self) -> list[Process]:
        processes, self._processes = self._processes, []
        for process in processes:
            process.sleep.thaw()
        return processes

    async def _run(self, stop: asyncio.Event, sleep: Sleep) -> None:
        pool: Any = DrowsyPool(self._pool, sleep)
        async with AsyncExitStack() as stack:
            real = await stack.enter_async_context(views.projection(self.name, self._settings, pool))
            unruly: Any = Unruly(real, self.line, sleep)
            runner = Runner(unruly, pool, self._client, prefix=self._settings.stream_prefix, options=FAST)
            await runner.run(stop)
