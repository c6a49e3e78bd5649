"""Whatever ends first ends the other, also one that a single cancellation did not reach."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from consumers.engine import tasks
from consumers.engine.tasks import guarded, until_stopped


async def _at_once() -> None:
    return


async def _deaf(times: int, ended: asyncio.Event) -> str:
    """Waits for ever; so many cancellations are lost on it."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()
    return "never"


async def _listening(times: int, ended: asyncio.Event) -> None:
    await _deaf(times, ended)


async def _fails() -> None:
    raise ValueError("a bug")


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_a_lost_cancellation_is_repeated(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(tasks, "_CANCEL_AGAIN", 0.01)
    ended = asyncio.Event()
    async with asyncio.timeout(5):
        await guarded(_at_once(), _listening(times, ended))
    assert ended.is_set()


async def test_what_the_guard_raises_ends_the_work() -> None:
    ended = asyncio.Event()
    with pytest.raises(ValueError, match="a bug"):
        await guarded(_listening(0, ended), _fails())
    assert ended.is_set()


async def test_a_stop_leaves_no_result() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()
    stop.set()
    assert await until_stopped(_deaf(0, ended), stop) is None
    assert ended.is_set()
