"""Builds the analytics projection from settings. Called by `app/wiring.py` only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.store import AnalyticsStore
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings


@asynccontextmanager
async def projection(settings: Settings, pool: Pool) -> AsyncIterator[AnalyticsProjection]:
    """The projection on ANALYTICS_DATABASE_URL, or on the truth's own database when that is not set."""
    async with open_pool(settings.analytics_url, max_size=2, name="stunity-analytics") as analytics_pool:
        yield AnalyticsProjection(AnalyticsStore(analytics_pool, pool))
