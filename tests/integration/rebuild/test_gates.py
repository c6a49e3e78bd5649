"""What keeps a shadow from serving: no room, another rebuild, a wrong count, a single wrong document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import pytest
import redis

from consumers.engine.rebuild.process import Busy, GaveUp, NoRoom
from consumers.engine.rebuild.shadow import Need
from consumers.engine.rebuild.steps import Step
from consumers.search import bulk, mapping
from consumers.search import rebuild as search_rebuild
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open, World
from tests.integration.rebuild.killing import collections, serves_on
from tests.support.network import Network
from tests.support.servers import TypesenseSettings, empty_typesense
from tests.support.wait import until

Mapped = Callable[[Any, Mapping[str, Any]], Any]


def rows(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute("SELECT state FROM engine.rebuilds ORDER BY id").fetchall()


async def given_up(
    search: World, conn: psycopg.Connection, settings: Settings, planted: Mapped, why: str, *, seconds: float
) -> None:
    """With this bug in the mapping the rebuild ends for this reason; the view is what it was, nothing is left."""
    await until(lambda: serves_on(conn, "search"), 20)
    before = collections(settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bulk, "document", planted)
        with pytest.raises(GaveUp, match=why):
            await (await search.rebuilding(gate_seconds=seconds)).rebuild("truth")
    assert rows(conn) == [("dropping",)]
    assert serves_on(conn, "search")
    await search.sweep()
    assert collections(settings) == before
    assert rows(conn) == [("dropped",)]
    assert (await search.differences()).equal


async def test_one_wrong_document(world: Open, network: Network, settings: Settings) -> None:
    def wrong(kind: Any, row: Mapping[str, Any]) -> Any:
        made = mapping.document(kind, row)
        return made and {**made, "title": "something else"} if row["id"] == "post0150" else made

    async with world("search") as search, search.consumed():
        why = r"verify: 1 stale \(posts/post0150\)"
        await given_up(search, network.conn, settings, wrong, why, seconds=60)


async def test_documents_that_are_not_there(world: Open, network: Network, settings: Settings) -> None:
    def forgetful(kind: Any, row: Mapping[str, Any]) -> Any:
        return None if row["id"] < "post0050" and kind == "posts" else mapping.document(kind, row)

    async with world("search") as search, search.consumed():
        why = "counts: 251 posts, 300 expected"
        await given_up(search, network.conn, settings, forgetful, why, seconds=6)


@pytest.mark.usefixtures("network")
async def test_no_room(
    world: Open, settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def much(_: object) -> Sequence[Need]:
        return [Need("Typesense's memory", 900 << 20, 1000 << 20)]

    monkeypatch.setattr(search_rebuild.SearchShadows, "needs", much)
    async with world("search") as search:
        with pytest.raises(
            NoRoom, match="Typesense's memory: a second copy takes about 900 MiB, 1000 MiB are free"
        ):
            await (await search.rebuilding()).rebuild("truth")
    assert rows(connection) == []
    assert collections(settings) == set()


async def test_room_is_asked_of_the_server(world: Open, network: Network) -> None:
    async with world("search") as search:
        needs = await (await search.shadows()).needs()
    assert {need.what for need in needs} == {"Typesense's memory", "Typesense's disk"}
    assert all(need.bytes > 0 and need.free is not None and need.free > 0 for need in needs), needs


@pytest.mark.parametrize(
    ("view", "lost_at"), [("feeds", "prepared"), ("feeds", "filled"), ("search", "filling")]
)
async def test_a_store_that_was_emptied_under_it(
    view: str,
    lost_at: Step,
    world: Open,
    network: Network,
    settings: Settings,
    typesense_settings: TypesenseSettings,
) -> None:
    """Before the shadow's first checkpoint, before the second, and before the next page of rows."""

    def lose(step: Step) -> None:
        if step == lost_at and view == "search":
            empty_typesense(typesense_settings)
        elif step == lost_at:
            with redis.Redis.from_url(str(settings.redis_url)) as raw:
                raw.flushall()

    async with world(view) as opened, opened.consumed():
        with pytest.raises(GaveUp, match=r"has lost the view|a collection is gone"):
            await (await opened.rebuilding(lose)).rebuild("truth")
        assert rows(network.conn) == [("dropping",)]
        assert (await opened.differences()).equal, "the view has been filled again"
        assert (await (await opened.rebuilding()).rebuild("truth")).state == "kept"


@pytest.mark.usefixtures("network")
async def test_one_rebuild_of_a_view_at_a_time(world: Open) -> None:
    async with world("search") as search, search.consumed():
        second: list[BaseException] = []
        other = await search.rebuilding()
        tasks: list[asyncio.Task[None]] = []

        async def try_another() -> None:
            try:
                await other.rebuild("truth")
            except Busy as error:
                second.append(error)

        def at_once(step: Step) -> None:
            if step == "prepared":
                tasks.append(asyncio.create_task(try_another()))

        row = await (await search.rebuilding(at_once)).rebuild("truth")
        await asyncio.gather(*tasks)
        assert row.state == "kept"
        assert len(second) == 1
