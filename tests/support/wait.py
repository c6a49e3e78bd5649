"""Waiting for something to become true, with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, LiteralString, TypeVar, overload

import psycopg

T = TypeVar("T")

#: Well above what cleaning up takes: that must not be interrupted. Seconds.
_CANCEL_AGAIN: Final = 10.0


class NotInTime(AssertionError):
    """The condition did not become true before the deadline."""


@overload
async def until(
    predicate: Callable[[], Awaitable[T]],
    timeout: float = ...,
    *,
    what: str | None = ...,
    interval: float = ...,
) -> T: ...


@overload
async def until(
    predicate: Callable[[], T], timeout: float = ..., *, what: str | None = ..., interval: float = ...
) -> T: ...


async def until(
    predicate: Callable[[], Any],
    timeout: float = 10.0,
    *,
    what: str | None = None,
    interval: float = 0.02,
) -> Any:
    """Poll `predicate` (plain or async) until it returns something true; return that.

    An exception counts as "not yet". On the deadline NotInTime says what was seen last.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen: object
        try:
            result = predicate()
            value = await result if inspect.isawaitable(result) else result
            if value:
                return value
            seen = value
        except Exception as error:  # a store that is just starting refuses connections: that is "not yet"
            seen = error
        if time.monotonic() > deadline:
            name = what or getattr(predicate, "__name__", "the condition")
            raise NotInTime(f"{name}: not after {timeout:g} s; last seen: {seen!r}")
        await asyncio.sleep(interval)


async def changed(conn: psycopg.Connection[Any], *statements: LiteralString) -> None:
    """Change tables under a consumer that runs in this loop, which has to go on for the consumer to let go of them."""
    for statement in statements:
        await asyncio.to_thread(conn.execute, statement)


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel until all have ended: on Python 3.11 a cancellation may be lost, see consumers/engine/tasks.py."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_CANCEL_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)
