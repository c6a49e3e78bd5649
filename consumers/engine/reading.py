"""A blocking read of the streams that goes on while its owner looks after other things.

The longer a read may block, the fewer commands an idle consumer sends; but fills, retries and new epochs, which
PostgreSQL tells, must not wait for it. A read is given up only when the streams are: cancelled in the middle, it
may have been delivered entries that nobody sees. What is read is `stream.py`, what happens to it `follower.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from consumers.engine.stream import Delivered
from consumers.engine.tasks import heed_cancellation


class Reading:
    """At most one read at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[list[Delivered]] | None = None

    async def wait(
        self, read: Callable[[], Coroutine[Any, Any, list[Delivered]]], stop: asyncio.Event, seconds: float
    ) -> list[Delivered]:
        """What the read under way brings, or one begun now; nothing after `seconds`, or when `stop` is set."""
        heed_cancellation()
        task = self._task = self._task or asyncio.create_task(read())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((task, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if not task.done():
            return []
        self._task = None
        return task.result()

    async def give_up(self) -> None:
        """End the read under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
