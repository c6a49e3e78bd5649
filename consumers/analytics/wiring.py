"""Builds the analytics projection and its jobs from settings. Called by `app/` only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from consumers.analytics import upkeep
from consumers.analytics.layout import Layout
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.rebuild import AnalyticsShadows
from consumers.analytics.store import AnalyticsStore
from runtime.jobs import Actor
from runtime.postgres import Pool, connect, open_pool
from runtime.settings import Settings

#: Jobs that nobody asks for by writing: name, queue, how often.
CHORES: Final = ((upkeep.RETIRE, upkeep.QUEUE, timedelta(days=1)),)


def layout(settings: Settings) -> Layout:
    """The living generation, as the settings want it."""
    return Layout(zone=ZoneInfo(settings.school_time_zone), retention_days=settings.analytics_retention_days)


@asynccontextmanager
async def projection(settings: Settings, pool: Pool) -> AsyncIterator[AnalyticsProjection]:
    """The projection on ANALYTICS_DATABASE_URL, or on the truth's own database when that is not set."""
    async with open_pool(settings.analytics_url, max_size=2, name="stunity-analytics") as analytics_pool:
        yield AnalyticsProjection(AnalyticsStore(analytics_pool, pool, layout(settings)))


@asynccontextmanager
async def shadows(settings: Settings, pool: Pool) -> AsyncIterator[AnalyticsShadows]:
    """What a rebuild asks of this view."""
    async with open_pool(settings.analytics_url, max_size=4, name="stunity-analytics") as analytics_pool:
        yield AnalyticsShadows(analytics_pool, pool, layout(settings))


@asynccontextmanager
async def actors(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Sequence[Actor]]:
    """The daily round. It belongs to the worker, which has the rights of the consumers."""

    async def retire() -> None:
        async with connect(settings.analytics_url, autocommit=True, name="stunity-analytics") as conn:
            await upkeep.retire(conn, layout(settings))

    yield (Actor(upkeep.RETIRE, retire, queue=upkeep.QUEUE),)
