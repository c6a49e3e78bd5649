"""Who is online, with Redis, without it, and while it does not answer."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg

from runtime.redis import Client
from tests.integration.live.conftest import signed_in

HIDE = """UPDATE users SET "privacySettings" = '{"mobileApp": {"showOnlineStatus": false}}' WHERE id = %s"""


async def beat(api: httpx.AsyncClient, *users: str) -> None:
    for user in users:
        response = await api.post("/users/heartbeat", headers=signed_in(user))
        assert (response.status_code, response.json()["ok"]) == (200, True)


async def count(api: httpx.AsyncClient, user: str = "ada", school: str = "s1") -> int:
    response = await api.get(f"/schools/{school}/online-count", headers=signed_in(user))
    assert response.status_code == 200, response.text
    assert response.headers["Stunity-Source"] in ("redis", "postgres")
    number: int = response.json()["data"]["count"]
    return number


async def test_everybody_counts_once_and_only_members_may_ask(api: httpx.AsyncClient) -> None:
    assert await count(api) == 0
    await beat(api, "ada", "bo", "ada", "zoe", "guest")
    assert await count(api) == 2
    assert await count(api, "zoe", "s2") == 1
    for user, school in (("zoe", "s1"), ("guest", "s1"), ("ada", "nowhere")):
        response = await api.get(f"/schools/{school}/online-count", headers=signed_in(user))
        assert response.status_code == 403
    assert (await api.post("/users/heartbeat")).status_code == 401
    assert (await api.get("/schools/s1/online-count")).status_code == 401


async def test_who_hides_is_not_counted(api: httpx.AsyncClient, people: psycopg.Connection[Any]) -> None:
    await beat(api, "ada", "bo", "cy")
    people.execute(HIDE, ("bo",))
    assert await count(api) == 2  # at once
    await beat(api, "bo")
    assert await count(api) == 2
    people.execute('UPDATE users SET "privacySettings" = NULL, "isActive" = id <> \'cy\'')
    assert await count(api) == 1  # what was said while hiding was not kept


async def test_half_a_minute_is_all(
    api: httpx.AsyncClient, people: psycopg.Connection[Any], client: Client | None
) -> None:
    await beat(api, "ada", "bo")
    people.execute("UPDATE live.presence SET seen_at = seen_at - interval '31 s' WHERE user_id = 'bo'")
    if client is not None and await _reachable(client):
        await client.zincrby("stunity:live:{s1}:online", -31, "bo")
        assert 0 < await client.ttl("stunity:live:{s1}:online") <= 60
    assert await count(api) == 1


async def _reachable(client: Client) -> bool:
    try:
        return bool(await client.ping())
    except Exception:
        return False
