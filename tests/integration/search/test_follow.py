"""The whole way without Redis: rows are written, capture makes events, the engine follows, readers find them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consumers.engine.options import Options
from consumers.engine.runner import Runner
from consumers.search import wiring
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.search.conftest import Api
from tests.support.network import Network
from tests.support.servers import TypesenseSettings, empty_typesense
from tests.support.wait import until

QUICK = Options(log_poll=0.05, upkeep=0.3, checkpoint=0.3)


@asynccontextmanager
async def _following(settings: Settings, pool: Pool) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with wiring.projection(settings, pool) as projection:
        running = asyncio.create_task(Runner(projection, pool, None, options=QUICK).run(stop))
        try:
            yield
        finally:
            stop.set()
            await running


@pytest.fixture
async def following(settings: Settings, pool: Pool, network: Network) -> AsyncIterator[None]:
    """The consumer is running, on a network that was there before it."""
    network.post("teacher", "older fern", id="older")
    async with _following(settings, pool):
        yield


async def _found(http: Api, viewer: str, search: str, expected: set[str]) -> None:
    async def from_the_index() -> bool:
        answer = await http.get(viewer, "/posts", search=search)
        found = {card["id"] for card in answer.json()["data"]}
        return answer.headers["stunity-source"] == "typesense" and found == expected

    await until(from_the_index, 20, what=f"{search} finds {expected}")


@pytest.mark.usefixtures("following")
async def test_what_is_written_is_found(http: Api, network: Network) -> None:
    await _found(http, "guest", "fern", {"older"})
    added = network.post("teacher", "newer fern ក្នុងព្រៃ")
    await _found(http, "guest", "fern", {"older", added})
    await _found(http, "guest", "ព្រៃ", {added})
    network.change("posts", "older", content="a moss")
    await _found(http, "guest", "fern", {added})
    network.change("users", "teacher", englishFirstName="Renamed")
    await _found(http, "guest", "renamed", {"older", added})
    network.change("users", "teacher", isActive=False)
    await _found(http, "guest", "renamed", set())
    network.change("users", "teacher", isActive=True)
    await _found(http, "guest", "renamed", {"older", added})
    network.delete("users", "teacher")
    await _found(http, "guest", "renamed", set())


@pytest.mark.usefixtures("following")
async def test_an_emptied_typesense_fills_itself(
    http: Api, network: Network, typesense_settings: TypesenseSettings
) -> None:
    await _found(http, "guest", "fern", {"older"})
    empty_typesense(typesense_settings)
    assert await http.posts("guest", "fern") == ["older"]
    await _found(http, "guest", "fern", {"older"})
    added = network.post("teacher", "newer fern")
    await _found(http, "guest", "fern", {"older", added})
