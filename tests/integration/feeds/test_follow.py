"""The view under the real runner: filled, followed on the streams, lost, and filled again, read through the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import httpx
import pytest
import redis

from consumers.engine.options import Options
from consumers.engine.runner import Runner
from consumers.feeds.projection import FeedsProjection
from runtime.postgres import Pool
from runtime.redis import Client
from tests.integration.feeds.conftest import Ask, ids
from tests.integration.feeds.network import Network
from tests.support.streams import StepRelay
from tests.support.wait import until

FAST = Options(
    block=0.1, log_poll=0.02, rejoin=0.02, upkeep=0.1, checkpoint=0.2, backoff_first=0.01, backoff_most=0.05
)


@pytest.fixture
def relay(network: Network, redis_url: str) -> Iterator[StepRelay]:
    network.conn.execute("DELETE FROM engine.checkpoints")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield StepRelay(network.conn, client)


@asynccontextmanager
async def following(projection: FeedsProjection, pool: Pool, client: Client) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(Runner(projection, pool, client, options=FAST).run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


def shows(ask: Ask, wanted: set[str]) -> Callable[[], Any]:
    async def look() -> bool:
        page: httpx.Response = await ask("ada", source=None)
        return set(ids(page)) == wanted and page.headers["Stunity-Source"] == "redis"

    return look


async def test_filled_followed_lost_and_filled_again(
    network: Network, relay: StepRelay, projection: FeedsProjection, pool: Pool, client: Client, feed: Ask
) -> None:
    network.follow("ada", "zoe")
    network.post("zoe", "old", visibility="PUBLIC")
    assert ids(await feed("ada", source="postgres")) == ["old"]
    async with following(projection, pool, client):
        relay.publish()
        await until(shows(feed, {"old"}), what="the view is filled")

        network.post("zoe", "new", visibility="PUBLIC")
        began = monotonic()
        relay.publish()
        await until(shows(feed, {"old", "new"}), what="the new post")
        assert monotonic() - began < 1.0

        await client.flushall()
        network.post("zoe", "third", visibility="PUBLIC")
        network.conn.execute("DELETE FROM posts WHERE id = 'old'")
        assert set(ids(await feed("ada", source=None))) == {"new", "third"}
        await until(shows(feed, {"new", "third"}), what="filled again")
    assert [key async for key in client.scan_iter("*:post:old")] == []
