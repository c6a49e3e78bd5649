"""The 31st post within a minute is refused, whoever counts."""

from __future__ import annotations

import httpx

from tests.integration.live.conftest import signed_in


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
