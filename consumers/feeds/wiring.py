"""Builds the feeds projection from settings. Called by `app/wiring.py` only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from consumers.feeds.projection import FeedsProjection
from consumers.feeds.rebuild import FeedShadows
from consumers.feeds.store import FeedStore
from runtime.errors import ConfigurationError
from runtime.postgres import Pool
from runtime.redis import Client, open_client
from runtime.settings import Settings


@asynccontextmanager
async def projection(settings: Settings, pool: Pool) -> AsyncIterator[FeedsProjection]:
    """The projection on REDIS_URL.

    Raises:
        ConfigurationError: there is none; feeds are ranked from PostgreSQL then, and need no consumer.
    """
    async with _client(settings) as client:
        yield FeedsProjection(FeedStore(client, settings.stream_prefix), pool)


@asynccontextmanager
async def shadows(settings: Settings, pool: Pool) -> AsyncIterator[FeedShadows]:
    """What a rebuild asks of this view.

    Raises:
        ConfigurationError: there is no REDIS_URL.
    """
    async with _client(settings) as client:
        yield FeedShadows(client, pool, settings.stream_prefix)


def _client(settings: Settings) -> AbstractAsyncContextManager[Client]:
    if settings.redis_url is None:
        raise ConfigurationError(
            "REDIS_URL is not set: feeds are answered from PostgreSQL without a consumer"
        )
    return open_client(settings.redis_url, name="stunity-feeds")
