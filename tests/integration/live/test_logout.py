"""A logged-out token stays out: in every process, under every spelling, whatever Redis remembers."""

from __future__ import annotations

import string
from typing import Any

import httpx
import psycopg

from consumers.live.revocations import TokenRevocations
from runtime.auth import token_hash
from runtime.postgres import Pool
from runtime.redis import Client, open_client
from tests.integration.live.conftest import signed_in


async def status(api: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await api.post("/users/heartbeat", headers=headers)).status_code


async def test_a_token_is_refused_after_logout_and_others_are_not(
    api: httpx.AsyncClient, people: psycopg.Connection[Any]
) -> None:
    people.execute("INSERT INTO live.revoked_tokens VALUES ('old', 'bo', now() - interval '1 s')")
    one, other = signed_in("ada", ttl=900), signed_in("ada", ttl=901)
    assert await status(api, one) == await status(api, other) == 200
    response = await api.post("/auth/logout", headers=one)
    assert response.status_code == 204
    assert "." in response.headers["Stunity-Position"]
    assert await status(api, one) == 401
    assert (await api.post("/auth/logout", headers=one)).status_code == 401
    assert await status(api, other) == 200

    events = people.execute("SELECT type, key, data FROM outbox.events WHERE topic = 'session'").fetchall()
    assert [(kind, key) for kind, key, _ in events] == [("session.revoked.v1", "ada")]
    token = one["Authorization"].split()[1]
    assert token not in str(events)
    assert token_hash(token) not in str(events)
    assert people.execute("SELECT user_id FROM live.revoked_tokens").fetchall() == [
        ("ada",)
    ]  # the expired is gone

    good = one["Authorization"]  # another spelling of the same signature does not help
    for last in string.ascii_letters + string.digits + "-_":
        assert await status(api, {"Authorization": good[:-1] + last}) == 401
    assert await status(api, {"Authorization": good + "="}) == 401


async def test_reads_refuse_a_token_as_soon_as_its_row_is_there(
    api: httpx.AsyncClient, people: psycopg.Connection[Any]
) -> None:
    headers, other = signed_in("ada", ttl=900), signed_in("ada", ttl=901)

    async def seen() -> list[int]:
        return [(await api.get("/scoped", headers=one)).status_code for one in (headers, other)]

    assert await seen() == [200, 200]
    name = token_hash(headers["Authorization"].split()[1])
    # by a process that has not reached Redis, which still says that it knows of every logout
    people.execute("INSERT INTO live.revoked_tokens VALUES (%s, 'ada', now() + interval '1 h')", (name,))
    assert await seen() == [401, 200]
    people.execute("UPDATE live.revoked_tokens SET expires_at = now() - interval '1 s'")
    assert await seen() == [200, 200]


async def test_redis_emptied_or_late_changes_nothing(
    pool: Pool, redis_url: str, people: psycopg.Connection[Any]
) -> None:
    insert = "INSERT INTO live.revoked_tokens VALUES (%s, 'ada', now() + interval '1 h')"
    async with open_client(redis_url) as client:
        revocations = TokenRevocations(pool, client, "stunity")
        assert await revocations.is_revoked("a") is False
        assert await _complete(client)
        people.execute(insert, ("a",))  # by a process that did not reach Redis
        await client.delete("stunity:live:{revoked}:complete")  # half a minute later
        assert await revocations.is_revoked("a") is True
        assert await client.exists("stunity:live:{revoked}:a")
        await client.flushall()
        assert await revocations.is_revoked("a") is True
        assert await revocations.is_revoked("b") is False


async def test_redis_answers_alone_while_it_is_complete(
    pool: Pool, redis_url: str, people: psycopg.Connection[Any]
) -> None:
    async with open_client(redis_url) as client:
        revocations = TokenRevocations(pool, client, "stunity")
        await revocations.is_revoked("a")
        people.execute("DROP TABLE live.revoked_tokens")
        assert await revocations.is_revoked("a") is False


async def test_more_than_fit_are_asked_one_by_one(
    pool: Pool, redis_url: str, people: psycopg.Connection[Any]
) -> None:
    people.execute(
        "INSERT INTO live.revoked_tokens SELECT 't' || n, 'ada', now() + interval '1 h' FROM generate_series(1, 5001) n"
    )
    async with open_client(redis_url) as client:
        revocations = TokenRevocations(pool, client, "stunity")
        assert await revocations.is_revoked("t5001") is True
        assert await revocations.is_revoked("x") is False
        assert not await _complete(client)


async def _complete(client: Client) -> bool:
    return bool(await client.exists("stunity:live:{revoked}:complete"))
