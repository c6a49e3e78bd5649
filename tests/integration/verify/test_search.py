"""The index against the truth: equal, or what is not is named and mended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from consumers.search import mapping
from consumers.search.schema import token
from consumers.search.store import Typesense, open_typesense
from runtime.settings import Settings
from tests.integration.verify.conftest import Consuming, Verifying, named
from tests.support.network import Network

POSTS = "stunity_posts"


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Typesense]:
    """The index, to damage it."""
    async with open_typesense(settings, timeout=10) as opened:
        yield opened


def populate(network: Network) -> None:
    """Every rule of the mapping has a row that it decides."""
    for number, visibility in enumerate(("PUBLIC", "SCHOOL", "CLASS", "PRIVATE")):
        network.post(
            "teacher",
            f"**Integrals** [part {number}](https://example.org) ការបង្រៀនគណិតវិទ្យា #ComputerScience https://www.x.kh/y",
            "north",
            id=f"post{number}",
            visibility=visibility,
            title=f"Lesson {number}",
            topicTags=["Maths", "maths", "BAC-II"],
            repostComment="<b>look</b>" if number else None,
        )
    network.post("guest", "no school", None, id="stray", visibility="SCHOOL")
    network.post("borey", "of somebody who left", "north", id="hidden")
    network.change("users", "borey", isActive=False)
    for user in ("anna", "sophea", "guest"):
        network.conn.execute(
            'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)', (f"l-{user}", "post0", user)
        )
    for number in range(2):
        network.conn.execute(
            """INSERT INTO comments (id, "postId", "authorId", content, "updatedAt")
               VALUES (%s, 'post1', 'anna', 'nice', now())""",
            (f"c{number}",),
        )
    network.user("secret", "north", profileVisibility="PRIVATE")
    network.club("teacher", "Chess", "north", id="chess", category="Games", tags=["chess"])
    network.club("teacher", "Closed", "north", id="closed", mode="INVITE_ONLY")
    network.member("chess", "anna")
    network.course("teacher", "Algebra", id="algebra", titleTranslations={"km": "ពីជគណិត", "en": "Algebra"})
    network.course("teacher", "Draft", id="draft", isPublished=False)


async def test_a_view_that_follows_is_equal(
    network: Network, consuming: Consuming, verifying: Verifying
) -> None:
    populate(network)
    async with consuming("search"), verifying("search") as verifier:
        found = await verifier.compare()
        network.change("posts", "post0", content="changed")
        network.delete("posts", "post1")
        again = await verifier.compare()
    assert named(found) == {}
    assert found.compared == 13
    assert named(again) == {}


async def test_what_differs_is_named_and_only_that_is_mended(
    network: Network, consuming: Consuming, verifying: Verifying, store: Typesense
) -> None:
    populate(network)
    async with consuming("search"), verifying("search") as verifier:
        assert named(await verifier.compare()) == {}
        [before] = [one async for page in store.export(POSTS, filter_by="id:ipost2") for one in page]
        await store.delete(POSTS, [token("post0")])
        await store.upsert(POSTS, [{**before, "id": token("ghost"), "key": "ghost"}])
        await store.upsert(POSTS, [{**before, "id": "nobody", "key": "post2"}])
        await store.upsert(POSTS, [{**before, "id": token("post3"), "key": "post3", "phone": "+855 12"}])
        found = await verifier.compare()
        mended = await verifier.repair(found)
        after = await verifier.compare()
        [untouched] = [one async for page in store.export(POSTS, filter_by="id:ipost2") for one in page]
    assert named(found) == {
        "missing": {"posts/post0"},
        "extra": {"posts/ghost", "posts/#nobody"},
        "stale": {"posts/post3"},
    }
    assert mended == 4
    assert named(after) == {}
    assert untouched == before


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("_audience", lambda real: lambda visibility, school, owner: real("PUBLIC", school, owner)),
        ("plain", lambda real: lambda text: text),
        ("_names", lambda real: lambda row: real({**row, "englishFirstName": None})),
        ("_popularity", lambda real: lambda count: real(count + 1)),
        ("_tag_words", lambda real: lambda tags: real(list(tags)[:1])),
        ("milliseconds", lambda real: lambda moment: real(moment) + 1),
    ],
)
async def test_a_bug_of_the_mapping_is_found(
    rule: str,
    changes: Any,
    monkeypatch: pytest.MonkeyPatch,
    network: Network,
    consuming: Consuming,
    verifying: Verifying,
) -> None:
    populate(network)
    monkeypatch.setattr(mapping, rule, changes(getattr(mapping, rule)))
    async with consuming("search"), verifying("search") as verifier:
        found = await verifier.compare()
        await verifier.repair(found)
        again = await verifier.compare()
    assert found.stale
    assert again.stale == found.stale, "writing it again with the same mapping can't mend it"
    assert not found.missing
    assert not found.extra


async def test_changes_under_way_are_no_differences(
    network: Network, consuming: Consuming, verifying: Verifying
) -> None:
    populate(network)
    async with consuming("search"), verifying("search") as verifier:
        assert named(await verifier.compare()) == {}
        for number in range(30):
            network.post("anna", f"post number {number}", "north", id=f"new{number}")
            network.change("posts", "post0", content=f"version {number}")
            if number % 3 == 0:
                assert named(await verifier.compare()) == {}


async def test_a_view_that_nobody_keeps_is_unsettled(
    network: Network, consuming: Consuming, verifying: Verifying, pool: Any
) -> None:
    populate(network)
    async with verifying("search") as verifier:
        async with consuming("search"):
            assert named(await verifier.compare()) == {}
        network.post("anna", "after the consumer stopped", "north", id="late")

        async def impatient() -> bool:
            return False

        found = await verifier.compare(settle=impatient)
    assert named(found) == {"unsettled": {"posts/late"}}
    assert not found.equal
