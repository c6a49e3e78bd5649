"""A pipeline inside the test: consumers on the log, a relay that publishes all the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg
import pytest
import redis

from runtime.settings import Settings
from tests.integration.verify.conftest import Consuming, Verifying, consuming, pool, verifying
from tests.support.streams import StepRelay

__all__ = ["Consuming", "Relaying", "Verifying", "consuming", "pool", "verifying"]

Relaying = Callable[[], AbstractAsyncContextManager[StepRelay]]


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """Redis, to look into it."""
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def relaying(settings: Settings, raw: redis.Redis) -> Relaying:
    """Publishes a round every now and then until the block ends."""

    @asynccontextmanager
    async def run() -> AsyncIterator[StepRelay]:
        with psycopg.connect(settings.database_url, autocommit=True) as conn:
            relay = StepRelay(conn, raw)

            async def publish() -> None:
                while True:
                    relay.publish()
                    await asyncio.sleep(0.05)

            task = asyncio.create_task(publish())
            try:
                yield relay
            finally:
                task.cancel()

    return run
