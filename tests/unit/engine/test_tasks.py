"""Whatever ends first ends the other, also one that a single cancellation did not reach; nobody is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from consumers.engine import tasks
from consumers.engine.options import Options
from consumers.engine.patience import Patience, pause
from consumers.engine.tasks import ahead, guarded, until_stopped


async def _at_once() -> None:
    await asyncio.sleep(0)


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


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _fails() -> None:
    raise ValueError("a bug")


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_a_lost_cancellation_is_repeated(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(tasks, "_CANCEL_AGAIN", 0.01)
    ended = asyncio.Event()
    async with asyncio.timeout(5):
        await guarded(_at_once(), _listening(times, ended))
    assert ended.is_set()


async def test_nobody_is_left_behind_by_a_second_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that guard each other's work the outer one repeats itself first."""
    monkeypatch.setattr(tasks, "_CANCEL_AGAIN", 0.01)
    ended = asyncio.Event()
    outer = asyncio.create_task(guarded(guarded(_listening(4, ended), _for_ever()), _for_ever()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    outer.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({outer})
    assert ended.is_set()
    assert outer.cancelled()


@pytest.mark.parametrize("look", ["insist", "pause"])
async def test_a_loop_notices_a_cancellation_that_was_lost(look: str) -> None:
    stop = asyncio.Event()
    patience = Patience("views", Options(), stop)
    begun = asyncio.Event()

    async def forgetful() -> None:
        with suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.Event().wait()
        while True:
            await (patience.insist(_at_once) if look == "insist" else pause(stop, 0.001))

    task = asyncio.create_task(forgetful())
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({task})
    assert task.cancelled()


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


async def test_the_next_item_is_on_its_way_while_one_is_used() -> None:
    asked = list[int]()

    async def source() -> AsyncIterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    seen = []
    async with ahead(source()) as numbers:
        async for number in numbers:
            await asyncio.sleep(0)
            seen.append((number, list(asked)))
    assert seen == [(1, [1, 2]), (2, [1, 2])]


async def test_nothing_is_on_its_way_behind_the_block() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[int]:
        yield 1
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with ahead(source()) as numbers:
        assert await anext(numbers) == 1
        await began.wait()
    assert ended.is_set()


async def test_what_the_source_raises_comes_where_its_item_would() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no second")

    async with ahead(source()) as numbers:
        assert await anext(numbers) == 1
        with pytest.raises(ValueError, match="no second"):
            await anext(numbers)
