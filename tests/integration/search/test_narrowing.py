"""A large collection is asked without the filter: whoever asks must not be able to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import pytest

from consumers.search import narrowing
from consumers.search.request import PostQuery
from consumers.search.searches import Hits, Searches, open_searches
from consumers.search.view import SearchView
from runtime.access import Scope, Viewer
from runtime.settings import Settings
from tests.integration.search.conftest import Index
from tests.support.network import Network

WORDS: Final = ("lotus", "temple", "river", "monsoon", "palace", "market")
QUESTIONS: Final = (*WORDS, "lotus temple", "mark", "palce", "monsun river", "nothing", "gibbon", "gibon")
VISIBILITIES: Final = ("PUBLIC", "SCHOOL", "CLASS", "PRIVATE")
SCOPES: Final = {
    "classmate": Scope(Viewer("anna", "STUDENT", "north"), classmates=("teacher", "borey")),
    "blocked": Scope(Viewer("borey", "STUDENT", "north"), blocked=("teacher",)),
    "other school": Scope(Viewer("sophea", "STUDENT", "south")),
    "no school": Scope(Viewer("guest", "STUDENT", None)),
}


class Counting(Searches):
    """The same, and how many searches had no filter."""

    def __init__(self, searches: Searches) -> None:
        super().__init__(searches._session)
        self.wide = self.round_trips = 0

    async def ask(self, searches: Sequence[Mapping[str, Any]]) -> list[Hits]:
        self.round_trips += 1
        self.wide += sum("filter_by" not in one for one in searches)
        return await super().ask(searches)


@pytest.fixture
async def posts(network: Network, index: Index) -> None:
    rng = Random(4)
    for number in range(120):
        network.post(
            rng.choice(("teacher", "anna", "borey", "sophea")),
            " ".join(rng.choices(WORDS, k=3)),
            "north",
            visibility=rng.choice(VISIBILITIES),
            createdAt=f"2026-01-01 00:{number // 60:02}:{number % 60:02}",
        )
    network.post("teacher", "gibon", "north", visibility="PRIVATE")  # hides nothing that is spelled nearly so
    network.post("teacher", "gibbons at dawn", "north")
    await index.fill()


@pytest.mark.parametrize("viewer", SCOPES)
async def test_both_ways_find_the_same(
    posts: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, viewer: str
) -> None:
    scope, until = SCOPES[viewer], 1_767_225_660_000  # the first sixty
    async with open_searches(settings, timeout=10) as opened:
        searches = Counting(opened)
        view = SearchView(searches, settings.stream_prefix)

        async def found() -> list[object]:
            answers: list[object] = []
            for text in QUESTIONS:
                query = PostQuery(text)
                answers += [
                    await view.posts(query, scope, 0, 4),
                    await view.posts(query, scope, 0, 100),
                    await view.posts(query, scope, 2, 5, until),
                    await view.search(("posts", "users", "clubs"), text, scope, (), 10),
                ]
            return answers

        narrow = await found()
        assert searches.wide == 0
        monkeypatch.setattr(narrowing, "LARGE", 0)
        assert await found() == narrow
        assert searches.wide > 0


async def test_one_round_trip_when_enough_is_left(
    posts: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "LARGE", 0)
    async with open_searches(settings, timeout=10) as opened:
        searches = Counting(opened)
        view = SearchView(searches, settings.stream_prefix)
        assert len(await view.posts(PostQuery("lotus"), SCOPES["classmate"], 0, 3)) == 3
        assert (searches.round_trips, searches.wide) == (1, 1)
