"""Typesense goes away in mid-flight: PostgreSQL answers the same, in time, and says so."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from time import monotonic

import pytest
from pydantic import SecretStr

from app.stack.typesense import Typesense as TypesenseServer
from consumers.search import wiring
from runtime.errors import Retryable
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.search.conftest import Api, Index, event, open_api
from tests.support.network import Network
from tests.support.servers import Running, typesense_settings_of
from tests.support.wait import until


@pytest.fixture
def own(own_typesense: Callable[[], Running[TypesenseServer]]) -> Running[TypesenseServer]:
    return own_typesense()


@pytest.fixture
def settings(settings: Settings, own: Running[TypesenseServer]) -> Settings:
    """The test's settings with a Typesense of its own, to be hurt."""
    reached = typesense_settings_of(own.server)
    return settings.model_copy(
        update={"typesense_port": reached.port, "typesense_api_key": SecretStr(reached.api_key)}
    )


@pytest.fixture
async def http(settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    async with wiring.view(settings) as view:
        async for opened in open_api(settings, pool, view):
            yield opened


async def test_killed_between_two_reads_and_back_again(
    http: Api, network: Network, index: Index, own: Running[TypesenseServer]
) -> None:
    post = network.post("teacher", "about ferns", topicTags=["Botany"])
    await index.fill()
    assert (await http.get("guest", "/posts", search="fern")).headers["stunity-source"] == "typesense"
    own.kill()
    for _ in range(5):
        started = monotonic()
        answers = [
            await http.get("guest", "/posts", search="fern"),
            await http.get("guest", "/search", q="fern"),
            await http.get("guest", "/search/suggest", q="bota"),
        ]
        assert monotonic() - started < 4.5
        assert {one.headers["stunity-source"] for one in answers} == {"postgres"}
        assert [card["id"] for card in answers[0].json()["data"]] == [post]
        assert [card["id"] for card in answers[1].json()["data"]["posts"]] == [post]
        assert answers[2].json()["data"][0]["text"] == "Botany"
    network.change("posts", post, content="about mosses")
    with pytest.raises(Retryable):
        await index.apply(event("post.updated", post))
    own.start()

    async def applied() -> bool:
        await index.apply(event("post.updated", post))
        return True

    await until(applied, 20)

    async def answers_again() -> bool:
        answer = await http.get("guest", "/posts", search="mosses")
        return answer.headers["stunity-source"] == "typesense" and len(answer.json()["data"]) == 1

    await until(answers_again, 20)


async def test_frozen_under_a_read(
    http: Api, network: Network, index: Index, own: Running[TypesenseServer]
) -> None:
    """A server that accepts and never answers costs its timeout once, then the circuit is open."""
    post = network.post("teacher", "about ferns")
    await index.fill()
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    try:
        started = monotonic()
        answers = await asyncio.gather(*(http.get("guest", "/posts", search="fern") for _ in range(4)))
        assert monotonic() - started < 2.5
        for answer in answers:
            assert answer.headers["stunity-source"] == "postgres"
            assert [card["id"] for card in answer.json()["data"]] == [post]
    finally:
        os.kill(own.pid, signal.SIGCONT)
