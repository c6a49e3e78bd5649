"""Cursors: every result once, whatever is written or deleted between two pages."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.search.conftest import Api, Index, event, ids
from tests.support.network import Network

pytestmark = pytest.mark.usefixtures("both_ways")


async def _rest(api: Api, first: httpx.Response, **params: str) -> list[str]:
    """The ids of all pages after this one."""
    found: list[str] = []
    cursor = first.json()["nextCursor"]
    while cursor and len(found) < 100:
        page = (await api.get("guest", "/posts", cursor=cursor, **params)).json()
        found += ids(page["data"])
        cursor = page["nextCursor"]
    return found


async def test_pages_of_a_search(http: Api, bare: Api, network: Network, index: Index) -> None:
    posts = {network.post("teacher", f"fern number{number}") for number in range(23)}
    await index.fill()
    for api in (http, bare):
        first = await api.get("guest", "/posts", search="fern", limit=5)
        found = ids(first.json()["data"]) + await _rest(api, first, search="fern", limit="5")
        assert len(found) == len(posts)
        assert set(found) == posts


async def test_new_and_deleted_posts_do_not_move_the_next_page(
    http: Api, network: Network, index: Index
) -> None:
    posts = [network.post("teacher", f"fern number{number}") for number in range(12)]
    await index.fill()
    first = await http.get("guest", "/posts", search="fern", limit=4)
    shown = ids(first.json()["data"])
    network.delete("posts", shown[0])
    added = [network.post("teacher", "fern", title="fern", createdAt="2999-01-01") for _ in range(3)]
    await index.apply(event("post.deleted", shown[0]), *(event("post.created", key) for key in added))
    rest = await _rest(http, first, search="fern", limit="4")
    assert sorted(shown + rest) == sorted(posts)


async def test_a_page_is_full_although_the_index_still_has_what_is_gone(
    http: Api, network: Network, index: Index
) -> None:
    for number in range(6):
        network.post("teacher", f"fern number{number}")
    await index.fill()
    found = (await http.get("guest", "/posts", search="fern")).json()["data"]
    for key in ids(found)[:3]:
        network.delete("posts", key)
    assert await http.posts("guest", "fern", limit=2) == ids(found)[3:5]
    assert (await http.search("guest", "fern", limit=2))["posts"] == ids(found)[3:5]


async def test_recent_posts_by_time(http: Api, network: Network, index: Index) -> None:
    posts = [
        network.post("teacher", "x", createdAt=f"2026-01-01 00:00:{number // 3:02}") for number in range(20)
    ]
    first = await http.get("guest", "/posts", limit=6)
    assert first.headers["stunity-source"] == "postgres"
    network.post("teacher", "newer")
    found = ids(first.json()["data"]) + await _rest(http, first, limit="6")
    assert len(found) == 20
    assert set(found) == set(posts)
