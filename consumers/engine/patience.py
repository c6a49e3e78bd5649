"""Waiting for a store that is away (I9): back-off with jitter, ended at once by the wish to stop, as long work is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from consumers.engine.options import Options
from consumers.engine.tasks import heed_cancellation
from runtime import telemetry
from runtime.errors import Retryable

T = TypeVar("T")
log = structlog.get_logger(__name__)

#: Which failures in a row are worth a line in the log.
_LOUD: Final = frozenset({1, 10, 100, 1000})


class Stopping(Exception):
    """The process has been asked to stop while it was waiting, or in the middle of something long."""


class Patience:
    """How one consumer waits."""

    def __init__(self, consumer: str, options: Options, stop: asyncio.Event) -> None:
        self._consumer = consumer
        self._options = options
        self._stop = stop

    async def insist(self, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat an action until no store that it needs is away.

        Raises:
            Stopping: the process is to stop.
        """
        failures = 0
        while True:
            heed_cancellation()
            try:
                return await action()
            except Retryable as error:
                failures += 1
                await self.back_off(failures, error)

    def heed(self) -> None:
        """To be called between the batches of something long.

        Raises:
            Stopping: the process is to stop.
        """
        if self._stop.is_set():
            raise Stopping

    async def back_off(self, failures: int, error: Exception) -> None:
        """Wait after so many failures in a row.

        Raises:
            Stopping: the process is to stop.
        """
        telemetry.CONSUMER_OUTAGES.labels(self._consumer).inc()
        if failures in _LOUD:
            log.warning("waiting_for_store", consumer=self._consumer, failures=failures, error=str(error))
        longest = min(self._options.backoff_first * 2 ** min(failures - 1, 30), self._options.backoff_most)
        await pause(self._stop, longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, unless the process is asked to stop.

    Raises:
        Stopping: it is.
    """
    heed_cancellation()
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
    raise Stopping
