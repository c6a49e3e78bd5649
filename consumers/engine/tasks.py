"""Two ways to run coroutines side by side that the runner needs; nothing of events here."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
#: Well above what cleaning up takes: that must not be interrupted. Seconds.
_CANCEL_AGAIN: Final = 10.0


async def until_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """The result of `work`, or None when `stop` is set first; `work` has ended either way."""
    task = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await _first_of(task, stopping)
    return None if task.cancelled() else task.result()


async def guarded(work: Coroutine[Any, Any, None], guard: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end while `guard` runs; whatever `guard` raises ends `work` and is raised."""
    tasks = asyncio.ensure_future(work), asyncio.ensure_future(guard)
    await _first_of(*tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _first_of(*tasks: asyncio.Future[Any]) -> None:
    """Wait for one of them, then cancel and await the others.

    Once is not always enough: on Python 3.11 a cancellation is lost when what is waited for with a time limit (a pooled
    connection) is there in the same moment (https://github.com/python/cpython/issues/86296).
    """
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN)
        await asyncio.gather(*tasks, return_exceptions=True)  # what the others raised is not asked for
