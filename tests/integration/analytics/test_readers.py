"""Somebody reads while days become busy: nothing is counted twice or not at all, at whichever statement it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.series import Bucket, Period, Window, window
from consumers.analytics.view import AnalyticsView
from consumers.analytics.view_many import ManyPostsView
from runtime.postgres import open_pool
from tests.integration.analytics.conftest import TWO_CONNECTIONS, batch, view

pytestmark = [pytest.mark.timescale_too, TWO_CONNECTIONS]
_DAYS, _A_DAY = 60, 4

Count = Callable[[Window], Awaitable[int]]


def of_post(view: AnalyticsView) -> Count:
    """The views of a post, by its own page."""

    async def count(grid: Window) -> int:
        return sum(views for _, views, _ in (await view.post("p1", grid)).views)

    return count


def of_author(view: ManyPostsView) -> Count:
    """The same by its author's page."""

    async def count(grid: Window) -> int:
        return sum(views for _, _, views in (await view.author(["p1"], grid)).views)

    return count


@pytest.mark.parametrize("asked", ["post", "author"])
async def test_a_day_that_becomes_busy_is_counted_once(
    projection: AnalyticsProjection, analytics_url: str, asked: str
) -> None:
    noon = datetime.now(UTC).replace(hour=5, minute=0) - timedelta(days=1)
    grid = window(Period.QUARTER, Bucket.DAY, datetime.now(UTC))
    written = 0

    async def write() -> None:
        nonlocal written
        for number in range(_DAYS * _A_DAY):
            await projection.apply(batch(view(f"v{number}", at=noon - timedelta(days=number // _A_DAY))))
            written += 1

    async with open_pool(analytics_url, max_size=1) as pool:
        count = of_post(AnalyticsView(pool)) if asked == "post" else of_author(ManyPostsView(pool))
        writing = asyncio.create_task(write())

        async def read() -> int:
            """How often it was right; at the same time as `write`."""
            reads = 0
            while not writing.done():
                before = written
                total = await count(grid)
                # A batch may be visible before `apply` has returned.
                assert before <= total <= written + 1
                reads += 1
            return reads

        try:
            assert await read() > _DAYS
            await writing
        finally:
            writing.cancel()
        assert await count(grid) == _DAYS * _A_DAY
