"""Rebuilding the vectors while they are read: for the same model without the model, for another one side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg
import pytest

from consumers.embeddings import wiring
from consumers.embeddings.backend import Backend
from consumers.embeddings.local import BUNDLED
from consumers.embeddings.rebuild import EmbeddingShadows
from consumers.embeddings.schema import EMBED, Model, Policy
from consumers.engine.rebuild.steps import STEPS, Step
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.embeddings.conftest import Api
from tests.integration.embeddings.conftest import _open as open_api
from tests.integration.rebuild.conftest import Open, World
from tests.support.network import Network
from tests.support.wait import ended, until

POSTS = 40


@pytest.fixture
def network(connection: psycopg.Connection) -> Network:
    """A teacher, a reader and a few posts: the model is slow."""
    connection.execute("SELECT embeddings.forget()")
    made = Network(connection)
    made.school("north")
    made.user("teacher", "north", role="TEACHER")
    made.user("anna", "north")
    for number in range(POSTS):
        made.post("teacher", f"Rivers and lakes of province {number}", "north", id=f"post{number:04}")
    return made


@pytest.fixture
async def http(settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    async for opened in open_api(settings, pool):
        yield opened


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """What `stunity worker` does for texts."""
    stop = asyncio.Event()

    async def work() -> None:
        async with wiring.actors(settings, stop) as actors:
            embed = next(actor for actor in actors if actor.name == EMBED)
            while not stop.is_set():
                await embed.run()
                await asyncio.wait((asyncio.create_task(stop.wait()),), timeout=0.1)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        stop.set()
        await task


class Reader:
    """Asks for similar posts without a pause."""

    def __init__(self, http: Api) -> None:
        self._http = http
        self.gone: set[str] = set()
        self.reads = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        while True:
            gone = set(self.gone)
            answer = await self._http.get("anna", "/posts/post0039/similar", limit=5)
            if answer.status_code != 200 or answer.headers["stunity-source"] != "pgvector":
                self.wrong.append(f"{answer.status_code} {answer.headers.get('stunity-source')}")
                continue
            found = {card["id"] for card in answer.json()["data"]}
            if len(found) != 5 or found & gone:
                self.wrong.append(f"{len(found)} posts, back: {found & gone}")
            self.reads += 1


@asynccontextmanager
async def reading(http: Api) -> AsyncIterator[Reader]:
    reader = Reader(http)
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        await ended(task)


async def filled(http: Api, conn: psycopg.Connection) -> None:
    def embedded() -> bool:
        return conn.execute("SELECT count(*) FROM embeddings.posts").fetchone() == (POSTS,)

    async def served() -> bool:
        answer = await http.get("anna", "/posts/post0039/similar")
        return answer.headers["stunity-source"] == "pgvector"

    await until(embedded, 80)  # loading the model takes its time on a busy machine
    await until(served, 20)


def texts(conn: psycopg.Connection) -> dict[str, str]:
    """The model of each post's vector."""
    return dict(conn.execute("SELECT post_id, model FROM embeddings.posts").fetchall())


async def test_no_text_goes_to_the_model_twice(
    world: Open, http: Api, network: Network, pool: Pool, settings: Settings
) -> None:
    def no_model() -> AbstractAsyncContextManager[Backend]:
        raise AssertionError("a text that is known was to be embedded")

    async with world("embeddings") as embeddings, embeddings.consumed(), working(settings):
        await filled(http, network.conn)
        async with reading(http) as reader:

            def write(step: Step) -> None:
                if STEPS.index(step) < STEPS.index("following"):
                    return
                network.post("teacher", f"Mountains, seen at {step}", id=f"new-{step}")
                network.delete("posts", key := f"post{len(reader.gone):04}")
                reader.gone.add(key)

            shadows = EmbeddingShadows(pool, Model(BUNDLED, 384), Policy.inside(), no_model)
            row = await (await embeddings.rebuilding(write, shadows=shadows)).rebuild("truth")
            assert row.state == "kept"
            await until(lambda: "new-switched" in texts(network.conn), 20)
            assert (await embeddings.differences()).equal

            network.post("teacher", "Deserts after the switch", id="after")
            await until(lambda: "after" in texts(network.conn), 20)
            assert await (await embeddings.rebuilding()).rollback() is not None
            await until(lambda: "after" in texts(network.conn), 20)
            assert (await embeddings.differences()).equal
        assert reader.wrong == []
        assert reader.reads > 20
        network.conn.execute("UPDATE engine.rebuilds SET keep_until = now()")
        await until_dropped(embeddings, network.conn)


async def until_dropped(world: World, conn: psycopg.Connection) -> None:
    async def dropped() -> bool:
        await world.sweep()
        return conn.execute("SELECT to_regclass('embeddings.vectors_r1')").fetchone() == (None,)

    await until(dropped, 10)


async def test_another_model_is_filled_side_by_side_and_takes_over_at_once(
    world: Open, http: Api, network: Network, pool: Pool, settings: Settings
) -> None:
    other = settings.model_copy(update={"embedding_passage_prefix": "passage: "})
    old_name = Model(BUNDLED, 384).name
    async with world("embeddings") as before:
        after = World("embeddings", other, pool, before.stack)
        async with before.consumed(), working(settings):
            await filled(http, network.conn)
            async with reading(http) as reader:

                def write(step: Step) -> None:
                    network.post("teacher", f"Mountains, seen at {step}", id=f"new-{step}")

                row = await (await after.rebuilding(write)).rebuild("truth")
                assert row.state == "kept"
                models = texts(network.conn)
                assert set(models.values()) == {Model(BUNDLED, 384, "passage: ").name}
                # nothing is missing that the view had before: the texts of the last moment are embedded in time
                assert set(models) >= {f"post{number:04}" for number in range(POSTS)}
                assert set(models) >= {"new-following", "new-checked", "new-before_switch"}
            assert reader.wrong == []
        async with after.consumed(), working(other):  # restarted with EMBEDDING_MODEL
            await until(lambda: "new-switched" in texts(network.conn), 20)
            async with reading(http) as reader:
                await until(lambda: reader.reads > 5)
            assert (await after.differences()).equal
        assert await (await before.rebuilding()).rollback() is not None
        assert set(texts(network.conn).values()) == {old_name}
