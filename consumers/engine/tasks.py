"""Running coroutines side by side, and ending them for certain; nothing of events here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def ahead(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The same items, of which the next is on its way while one is used; none is on its way behind the block."""

    async def following() -> T | None:
        return await anext(items, None)

    coming = asyncio.ensure_future(following())

    async def each() -> AsyncIterator[T]:
        nonlocal coming
        while (found := await coming) is not None:
            coming = asyncio.ensure_future(following())
            yield found

    try:
        yield each()
    finally:
        await _end([coming])


def heed_cancellation() -> None:
    """Raise a cancellation of this task that was lost on its way; for loops that would go on for ever without it.

    On Python 3.11 one is lost when what is waited for with a time limit (a pooled connection) is there in the same
    moment (https://github.com/python/cpython/issues/86296).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _first_of(*tasks: asyncio.Future[Any]) -> None:
    """Wait for one of them, then cancel and await the others; what these raise is not asked for."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)


async def _end(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel until all have ended, as one may be lost. Being cancelled meanwhile is no reason to leave one behind."""
    cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=_CANCEL_AGAIN)
        except asyncio.CancelledError:
            cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen, as far as asyncio is concerned
    if cancelled:
        raise asyncio.CancelledError
