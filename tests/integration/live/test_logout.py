"""A logged-out token stays out: in every process, at once, under every spelling."""

from __future__ import annotations

import string
from typing import Any

import httpx
import psycopg

from runtime.auth import token_hash
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


async def test_a_token_is_refused_as_soon_as_its_row_is_there(
    api: httpx.AsyncClient, people: psycopg.Connection[Any]
) -> None:
    headers, other = signed_in("ada", ttl=900), signed_in("ada", ttl=901)

    async def seen() -> list[int]:
        reads = [(await api.get("/scoped", headers=one)).status_code for one in (headers, other)]
        assert [await status(api, one) for one in (headers, other)] == reads
        return reads

    assert await seen() == [200, 200]
    name = token_hash(headers["Authorization"].split()[1])
    # by another process
    people.execute("INSERT INTO live.revoked_tokens VALUES (%s, 'ada', now() + interval '1 h')", (name,))
    assert await seen() == [401, 200]
    people.execute("UPDATE live.revoked_tokens SET expires_at = now() - interval '1 s'")
    assert await seen() == [200, 200]
