"""The 31st post within a minute is refused, whoever counts."""

from __future__ import annotations

from typing import Any

import httpx

from runtime.postgres import Pool
from tests.integration.live.conftest import make_app, signed_in


async def test_the_thirty_first_post_in_a_minute_is_refused(api: httpx.AsyncClient) -> None:
    headers = signed_in("ada")
    answers = [await api.post("/posts", headers=headers) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [201] * 30 + [429]
    last = answers[-1]
    assert last.headers["content-type"] == "application/problem+json"
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    assert (await api.post("/posts", headers=signed_in("ada", ttl=800))).status_code == 429  # same user
    assert (await api.post("/posts", headers=signed_in("bo"))).status_code == 201
    assert (await api.get("/posts", headers=headers)).status_code == 405  # reading is not posting
    for _ in range(32):  # a token that nobody signed is left to the check behind; this route has none
        assert (await api.post("/posts", headers={"Authorization": "Bearer x.y.z"})).status_code == 201


async def test_general_limits_are_per_user(database: str, pool: Pool, people: Any) -> None:
    app = make_app(database, pool, None, rate_limit_reads=3, rate_limit_writes=2)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as api:
        ada, bo = signed_in("ada"), signed_in("bo")
        reads = [await api.get("/schools/s1/online-count", headers=ada) for _ in range(4)]
        assert [answer.status_code for answer in reads] == [200, 200, 200, 429]
        writes = [await api.post("/users/heartbeat", headers=ada) for _ in range(3)]
        assert [answer.status_code for answer in writes] == [200, 200, 429]
        assert (await api.get("/schools/s1/online-count", headers=bo)).status_code == 200


async def test_an_address_that_guesses_tokens_is_stopped(database: str, pool: Pool, people: Any) -> None:
    app = make_app(database, pool, None, rate_limit_failures=3)
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 1))
    other = httpx.ASGITransport(app, client=("203.0.113.8", 1))
    bad = {"Authorization": "Bearer x.y.z"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answers = [await api.post("/users/heartbeat", headers=bad) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert (await api.post("/users/heartbeat", headers=signed_in("ada"))).status_code == 200
    async with httpx.AsyncClient(transport=other, base_url="http://api") as api:
        assert (await api.post("/users/heartbeat", headers=bad)).status_code == 401


async def test_zero_is_no_limit(database: str, pool: Pool, people: Any) -> None:
    app = make_app(database, pool, None, rate_limit_reads=0, rate_limit_writes=0, rate_limit_failures=0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as api:
        assert (await api.post("/users/heartbeat", headers=signed_in("ada"))).status_code == 200
        assert (await api.post("/users/heartbeat")).status_code == 401
        assert (await api.post("/users/heartbeat")).status_code == 401
