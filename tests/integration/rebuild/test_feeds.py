"""Rebuilding the pools while pages are read and posts are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

import httpx
import psycopg
import pytest
import redis
from fastapi import FastAPI

from consumers.engine.rebuild.steps import Step
from consumers.feeds import api
from runtime.auth import issue
from runtime.http import install_error_handlers
from runtime.postgres import Pool
from runtime.redis import open_client
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open
from tests.support.network import Network
from tests.support.wait import ended, until


@pytest.fixture
async def http(settings: Settings, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The feed as anna gets it."""
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(api.router)
    assert settings.jwt_secret is not None
    token = issue(settings.jwt_secret.get_secret_value(), user="anna", role="STUDENT", school_id="north")
    async with open_client(str(settings.redis_url)) as client:
        app.state.settings, app.state.pool, app.state.redis = settings, pool, client
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        ) as opened:
            yield opened


def shown(answer: httpx.Response) -> list[str]:
    return [item["data"]["id"] for item in answer.json()["data"]]


class Reader:
    """Reads pages of both kinds without a pause."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.gone: set[str] = set()
        self.reads = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        for mode in cycle(("RECENT", "FOR_YOU")):
            gone = set(self.gone)
            answer = await self._http.get("/feed", params={"mode": mode, "limit": 20})
            if answer.status_code != 200 or answer.headers["stunity-source"] != "redis":
                self.wrong.append(f"{answer.status_code} {answer.headers.get('stunity-source')}")
                continue
            if len(found := shown(answer)) != 20:
                self.wrong.append(f"a {mode} page of {len(found)}")
            if back := gone & set(found):
                self.wrong.append(f"deleted and back: {back}")
            self.reads += 1


async def newest(http: httpx.AsyncClient) -> str:
    return shown(await http.get("/feed", params={"mode": "RECENT", "limit": 1}))[0]


async def leads(http: httpx.AsyncClient, post: str) -> None:
    async def first() -> bool:
        return await newest(http) == post

    await until(first, 10, what=f"{post} comes first")


async def test_readers_notice_nothing(
    world: Open, http: httpx.AsyncClient, network: Network, redis_url: str
) -> None:
    async with world("feeds") as feeds, feeds.consumed():

        async def from_redis() -> bool:
            answer = await http.get("/feed", params={"mode": "RECENT", "limit": 1})
            return answer.headers["stunity-source"] == "redis"

        await until(from_redis, 20)
        reader = Reader(http)
        reading = asyncio.create_task(reader.run())

        def write(step: Step) -> None:
            """A post comes and one goes at every step of the rebuild."""
            network.post("teacher", f"moss {step}", "north", id=f"new-{step}")
            key = f"post{len(reader.gone) + 1:04}"
            network.delete("posts", key)
            reader.gone.add(key)

        try:
            row = await (await feeds.rebuilding(write)).rebuild("truth")
            assert row.state == "kept"
            await leads(http, "new-switched")
            after = reader.reads
            await until(lambda: reader.reads > after + 10)
            network.post("teacher", "lichen", "north", id="after")
            await leads(http, "after")
            assert await (await feeds.rebuilding()).rollback() is not None
            await leads(http, "after")
            network.post("teacher", "algae", "north", id="later")
            await leads(http, "later")
        finally:
            await ended(reading)
        assert reader.wrong == []

    network.conn.execute("UPDATE engine.rebuilds SET keep_until = now()")
    async with world("feeds") as feeds:
        await feeds.sweep()
    with redis.Redis.from_url(redis_url) as client:
        lives = {key.split(b":")[2] for key in client.scan_iter("stunity:{feeds}:*:post:*")}
        assert len(lives) == 1
        assert lives == {client.hget("stunity:{feeds}:meta", "incarnation")}


async def test_a_profile_of_another_life_is_not_used(
    world: Open, http: httpx.AsyncClient, network: Network, connection: psycopg.Connection
) -> None:
    """Versions count apart in each life: equal numbers of two lives say nothing."""
    follow = 'INSERT INTO follows (id, "followerId", "followingId") VALUES (%s, %s, %s)'
    network.user("quiet", "north")
    post = network.post("quiet", "nothing", "north", visibility="CLASS", createdAt="2020-01-01")
    async with world("feeds") as feeds, feeds.consumed():
        connection.execute(follow, ("f1", "anna", "teacher"))

        async def follows(author: str) -> bool:
            answer = await http.get("/feed", params={"mode": "FOLLOWING", "limit": 50})
            kept = answer.headers["stunity-source"] == "redis"
            return kept and any(item["data"]["author"]["id"] == author for item in answer.json()["data"])

        async def follows_teacher() -> bool:
            return await follows("teacher")

        await until(follows_teacher, 20)  # the profile is kept, at version 1 of this life
        await (await feeds.rebuilding()).rebuild("truth")
        network.change("posts", post, visibility="PUBLIC")
        connection.execute(follow, ("f2", "anna", "quiet"))  # version 1 of that life

        async def follows_quiet() -> bool:
            return await follows("quiet")

        await until(follows_quiet, 10)
