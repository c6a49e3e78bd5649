"""What comes with results: highlights, facets, the filter by tag; all of it from rows that the viewer passes."""

from __future__ import annotations

from typing import Any

from tests.integration.search.conftest import Api, Index, ids
from tests.support.network import Network


async def _facets(api: Api, viewer: str, **params: Any) -> dict[str, dict[str, int]]:
    answer = (await api.get(viewer, "/posts", facets=True, **params)).json()
    return {name: {one["value"]: one["count"] for one in values} for name, values in answer["facets"].items()}


async def test_highlights_of_posts_people_clubs_and_courses(
    http: Api, bare: Api, network: Network, index: Index
) -> None:
    network.post("teacher", "រៀនកុំព្យូទ័រ with fun", title="Fun")
    network.club("teacher", "Fun with robots", None)
    await index.fill()
    for api in (http, bare):
        [card] = (await api.get("anna", "/posts", search="កុំព្យូទ័រ")).json()["data"]
        assert {"text": "កុំព្យូទ័រ", "match": True} in card["highlights"]["content"]
        found = (await api.get("anna", "/search", q="fun")).json()["data"]
        assert found["posts"][0]["highlights"]["title"] == [{"text": "Fun", "match": True}]
        assert found["clubs"][0]["highlights"]["name"][0] == {"text": "Fun", "match": True}


async def test_facets_count_what_the_viewer_may_see(
    http: Api, bare: Api, network: Network, index: Index
) -> None:
    network.post("teacher", "fern", "north", postType="QUIZ", topicTags=["Math"])
    network.post("teacher", "fern", "north", topicTags=["maths", "plants"])
    network.post("sophea", "fern", "south", topicTags=["គណិតវិទ្យា"])
    hidden = network.post("sophea", "fern", "south", visibility="SCHOOL", topicTags=["secret"])
    await index.fill()
    for api in (http, bare):
        assert await _facets(api, "anna", search="fern") == {
            "schoolId": {"north": 2, "south": 1},
            "postType": {"ARTICLE": 2, "QUIZ": 1},
            "tag": {"mathematics": 3, "plants": 1},
        }
        assert (await _facets(api, "anna", search="fern", tag="plants"))["postType"] == {"ARTICLE": 1}
        assert (await _facets(api, "sophea", search="fern"))["tag"]["secret"] == 1
    network.change("posts", hidden, visibility="PRIVATE")
    network.change("users", "teacher", isActive=False)  # the index has not heard of it
    assert await _facets(http, "anna", search="fern") == {
        "schoolId": {"south": 1},
        "postType": {"ARTICLE": 1},
        "tag": {"mathematics": 1},
    }


async def test_filter_by_tag_in_any_spelling(http: Api, bare: Api, network: Network, index: Index) -> None:
    tagged = {network.post("teacher", "fern", topicTags=[tag]) for tag in ("Math", "គណិតវិទ្យា", "mathematics")}
    network.post("teacher", "fern", topicTags=["physics"])
    await index.fill()
    for api in (http, bare):
        for tag in ("math", "Mathematics", "គណិតវិទ្យា"):
            assert set(await api.posts("anna", "fern", tag=tag)) == tagged, tag
            listed = await api.get("anna", "/posts", tag=tag)
            assert set(ids(listed.json()["data"])) == tagged, tag
        assert await api.posts("anna", "fern", tag="`] || x") == []
