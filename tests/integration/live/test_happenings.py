"""GET /events/stream over a real socket: who is told what, what was missed, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from consumers.live.happenings import tail
from runtime.postgres import Pool
from tests.integration.live.conftest import make_app, signed_in
from tests.support.wait import until

Told = list[tuple[str, str]]


@pytest.fixture
async def url(database: str, pool: Pool, people: psycopg.Connection[Any]) -> AsyncIterator[str]:
    """The API behind a real server: only that streams."""
    config = uvicorn.Config(make_app(database, pool, None), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started, timeout=10, what="the server has started")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    async with asyncio.timeout(20):
        await task


class Client:
    """One connection, as an EventSource has it."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self.place: str | None = None

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next event: its name and data."""
        seen: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line and "data" in seen:
                    self.place = seen.get("id", self.place)
                    return seen["event"], json.loads(seen["data"])
                name, _, value = line.partition(": ")
                if name in ("event", "data", "id"):
                    seen[name] = value
        raise EOFError

    async def until_place(self) -> Told:
        """What is told up to the next place."""
        told: Told = []
        while True:
            name, data = await self.next()
            if name in ("place", "hello", "reset"):
                return told
            told.append((name.removesuffix(".v1"), data["subject"]))


@asynccontextmanager
async def listening(url: str, user: str, place: str | None = None, **claims: Any) -> AsyncIterator[Client]:
    headers = signed_in(user, **claims) | ({"Last-Event-ID": place} if place else {})
    async with (
        httpx.AsyncClient(base_url=url, timeout=20) as http,
        http.stream("GET", "/events/stream", headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        client = Client(response)
        if place is None:
            assert (await client.next())[0] == "hello"
        yield client


def post(people: psycopg.Connection[Any], key: str, author: str, visibility: str, school: str | None) -> None:
    people.execute(
        'INSERT INTO posts (id, "authorId", "schoolId", visibility, content, "updatedAt")'
        " VALUES (%s, %s, %s, %s, 'text', now())",
        (key, author, school, visibility),
    )


def like(people: psycopg.Connection[Any], key: str, user: str) -> None:
    people.execute(
        'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)', (f"{key}-{user}", key, user)
    )


async def test_who_may_see_it_is_told_and_nobody_else(url: str, people: psycopg.Connection[Any]) -> None:
    async with listening(url, "bo") as bo, listening(url, "zoe") as zoe, listening(url, "ada") as ada:
        with people.transaction():
            post(people, "school", "ada", "SCHOOL", "s1")
            post(people, "secret", "ada", "PRIVATE", "s1")
            like(people, "school", "bo")
            like(people, "school", "ada")
            people.execute(
                "INSERT INTO follows (id, \"followerId\", \"followingId\") VALUES ('f', 'ada', 'zoe')"
            )
        assert await bo.until_place() == [("post.created", "school")]
        assert await zoe.until_place() == [("follow.created", "ada")]
        mine = await ada.until_place()
        assert sorted(mine) == [
            ("like.created", "school"),
            ("post.created", "school"),
            ("post.created", "secret"),
        ]

        people.execute("DELETE FROM posts")
        assert await bo.until_place() == [("post.deleted", "school")]
        assert sorted(await ada.until_place()) == [("post.deleted", "school"), ("post.deleted", "secret")]


async def test_nothing_but_ids_is_told(url: str, people: psycopg.Connection[Any]) -> None:
    async with listening(url, "bo") as bo:
        post(people, "p", "ada", "SCHOOL", "s1")
        name, data = await bo.next()
    assert name == "post.created.v1"
    assert set(data) == {"id", "type", "subject", "time", "data"}
    assert data["data"] == {"postId": "p"}


async def test_a_client_that_comes_back_gets_what_it_missed(
    url: str, people: psycopg.Connection[Any], database: str
) -> None:
    with psycopg.connect(database) as slow:
        post(slow, "late", "ada", "PUBLIC", "s1")  # an older id and xid than what is told before it
        async with listening(url, "bo") as bo:
            post(people, "p1", "ada", "SCHOOL", "s1")
            assert await bo.until_place() == [("post.created", "p1")]
            place = bo.place
        slow.commit()
    post(people, "p2", "ada", "SCHOOL", "s1")
    async with listening(url, "bo", place) as bo:
        assert await bo.until_place() == [("post.created", "late"), ("post.created", "p2")]


async def test_who_has_missed_nothing_goes_on_where_they_were(
    url: str, people: psycopg.Connection[Any]
) -> None:
    async with listening(url, "bo") as bo:
        post(people, "p1", "ada", "SCHOOL", "s1")
        await bo.until_place()
        place = bo.place
    async with listening(url, "bo", place) as bo:
        post(people, "p2", "ada", "SCHOOL", "s1")
        name, data = await bo.next()
        assert (name, data["subject"]) == ("post.created.v1", "p2")


async def test_an_import_is_told_as_one_word(
    url: str, people: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MOST_EVENTS", 3)
    async with listening(url, "bo") as bo:
        with people.transaction():
            for number in range(5):
                post(people, f"p{number}", "ada", "SCHOOL", "s1")
        assert (await bo.next())[0] == "reset"


@pytest.mark.parametrize("place", ["99.1.10:10:", "0.1.10:10:"], ids=["another life", "long ago"])
async def test_a_place_that_the_log_cannot_serve_is_answered_with_reset(
    url: str, people: psycopg.Connection[Any], place: str
) -> None:
    people.execute(
        "INSERT INTO outbox.retired_days (day, max_id, max_xid) VALUES ('2026-01-01', 1000000, '11')"
    )
    async with listening(url, "bo", place) as bo:
        assert (await bo.next())[0] == "reset"
        assert bo.place != place


@pytest.mark.parametrize(
    "place", ["1", "0.1.10:9:", "0.1.0:0:", "0.1.5:9:77", "0.1.1:99999999999999999999:", "x" * 5000]
)
async def test_a_place_of_nobody_s_is_refused(url: str, place: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        response = await http.get("/events/stream", headers=signed_in("bo") | {"Last-Event-ID": place})
    assert response.status_code in (400, 422)


async def test_a_block_and_a_deactivated_account_hold_at_once(
    url: str, people: psycopg.Connection[Any]
) -> None:
    async with listening(url, "bo") as bo, listening(url, "cy") as cy:
        people.execute("INSERT INTO user_blocks (id, \"blockerId\", \"blockedId\") VALUES ('b', 'ada', 'bo')")
        people.execute("UPDATE users SET \"isActive\" = false WHERE id = 'cy'")
        post(people, "p1", "ada", "PUBLIC", "s1")
        post(people, "p2", "zoe", "PUBLIC", "s1")
        assert await bo.until_place() == [("post.created", "p2")]
        with pytest.raises(EOFError):
            await cy.next()


async def test_so_many_and_no_more(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        headers = signed_in("bo")
        opened = [http.stream("GET", "/events/stream", headers=headers) for _ in range(5)]
        responses = [await stream.__aenter__() for stream in opened]
        assert {response.status_code for response in responses} == {200}
        assert (await http.get("/events/stream", headers=headers)).status_code == 429
        for stream in opened:
            await stream.__aexit__(None, None, None)
        await until(lambda: _admitted(http, headers), timeout=10, what="the others have left")


async def _admitted(http: httpx.AsyncClient, headers: dict[str, str]) -> bool:
    async with http.stream("GET", "/events/stream", headers=headers) as response:
        return response.status_code == 200


async def test_without_a_token_nothing(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/events/stream")).status_code == 401
