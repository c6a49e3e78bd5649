"""Rebuilding the index while it is written and read at full speed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import pytest

from app import status
from app.stack import report
from consumers.engine.rebuild.steps import Step
from consumers.search import wiring
from consumers.search.rebuild import SearchShadows
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open, World
from tests.integration.rebuild.killing import is_indexed
from tests.integration.search.conftest import Api, ids, open_api
from tests.support.network import Network
from tests.support.wait import ended, until


@pytest.fixture
async def http(settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    """The routes with Typesense behind them."""
    async with wiring.view(settings) as view:
        async for opened in open_api(settings, pool, view):
            yield opened


@dataclass
class Reader:
    """Reads without a pause, and remembers what should not have been."""

    http: Api
    gone: set[str] = field(default_factory=set)
    reads: int = 0
    wrong: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            gone = set(self.gone)
            answer = await self.http.get("anna", "/posts", search="fern", limit=20)
            if answer.status_code != 200:
                self.wrong.append(f"{answer.status_code} {answer.text}")
                continue
            found = ids(answer.json()["data"])
            if answer.headers["stunity-source"] != "typesense":
                self.wrong.append(f"answered by {answer.headers['stunity-source']}")
            if len(found) != 20:
                self.wrong.append(f"a page of {len(found)}")
            if back := gone & set(found):
                self.wrong.append(f"deleted and back: {back}")
            self.reads += 1


@asynccontextmanager
async def reading(http: Api) -> AsyncIterator[Reader]:
    reader = Reader(http)
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        await ended(task)


async def said(search: World) -> str:
    """What `stunity status` says of its rebuild."""
    [line] = report.rebuilds({"rebuilds": orjson.loads(orjson.dumps(await status.rebuilds(search.pool)))})
    return line


async def live(http: Api) -> None:
    async def from_the_index() -> bool:
        answer = await http.get("anna", "/posts", search="fern", limit=5)
        return answer.headers["stunity-source"] == "typesense"

    await until(from_the_index, 20)


async def finds(http: Api, search: str, *expected: str) -> None:
    async def found() -> bool:
        return await http.posts("anna", search) == list(expected)

    await until(found, 10, what=f"{search} finds {expected}")


async def test_what_was_found_before_the_switch_is_found_after_it(
    world: Open, http: Api, network: Network, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what was written when the shadow had come near already, and nobody has followed since."""

    async def somebody_writes_and_finds(*_: object) -> bool:
        network.post("teacher", "moss at the last moment", id="late")
        await finds(http, "moss", "late")
        return False

    exchanged: list[bool] = []

    def look(step: Step) -> None:
        if step == "exchanged":
            exchanged.append(is_indexed(settings, "late"))

    monkeypatch.setattr(SearchShadows, "finish_off", somebody_writes_and_finds)
    async with world("search") as search, search.consumed():
        await live(http)
        await (await search.rebuilding(look)).rebuild("truth")
    assert exchanged == [True]


async def test_readers_notice_nothing(world: Open, http: Api, network: Network) -> None:
    async with world("search") as search, search.consumed():
        await live(http)
        async with reading(http) as reader:

            def write(step: Step) -> None:
                """A post comes, one changes and one goes at every step of the rebuild."""
                network.post("teacher", f"moss {step}", id=f"new-{step}")
                key = f"post{len(reader.gone) + 1:04}"
                network.delete("posts", key)
                reader.gone.add(key)

            before = reader.reads
            row = await (await search.rebuilding(write)).rebuild("truth")
            assert row.state == "kept"
            assert "done; the old view is kept" in await said(search)
            await until(lambda: reader.reads > before + 20)
            await finds(http, "switched", "new-switched")
            assert (await search.differences()).equal

            network.post("teacher", "lichen after the switch", id="after")
            await finds(http, "lichen", "after")
            rolled_back = await (await search.rebuilding()).rollback()
            assert rolled_back is not None
            assert rolled_back.id == row.id
            assert "rolled back; the new view is kept" in await said(search)
            await finds(http, "lichen", "after")
            network.post("teacher", "algae after the way back", id="later")
            await finds(http, "algae", "later")
            assert (await search.differences()).equal
        assert reader.wrong == []
