"""The feed pools against the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from consumers.feeds import mapping, schema, store
from tests.integration.verify.conftest import Consuming, Verifying, named
from tests.support.network import Network


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """For damaging the view."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as opened:
        yield opened


def base(raw: redis.Redis) -> str:
    root = schema.root("stunity")
    return root + str(raw.hget(f"{root}meta", "incarnation")) + ":"


def populate(network: Network) -> None:
    for number, visibility in enumerate(("PUBLIC", "SCHOOL", "CLASS", "PRIVATE", "PUBLIC")):
        network.post(
            "teacher",
            "x" * 300 * number,
            "north",
            id=f"post{number}",
            visibility=visibility,
            title="A lesson" if number % 2 else None,
            topicTags=["#Maths ", "maths", "Chess"],
            postType="QUESTION" if number == 1 else "ARTICLE",
            questionBounty=30,
            isPinned=number == 4,
            edScore=4.5,
            edScoreCount=7,
            sharesCount=2 * number,
            mediaUrls=["a.png"] if number else None,
        )
    network.post("guest", "no school", None, id="stray", visibility="SCHOOL")
    network.post("borey", "of somebody who left", "north", id="hidden")
    network.change("users", "borey", isActive=False)
    for number, user in enumerate(("anna", "sophea", "guest")):
        network.conn.execute(
            'INSERT INTO likes (id, "postId", "userId", "createdAt") '
            "VALUES (%s, %s, %s, now() - %s * interval '1 h')",
            (f"l{number}", "post0", user, number),
        )
    network.conn.execute(
        """INSERT INTO comments (id, "postId", "authorId", content, "updatedAt")
           VALUES ('c1', 'post1', 'anna', 'nice', now())"""
    )


async def test_damage_is_named_and_mended(
    network: Network, consuming: Consuming, verifying: Verifying, raw: redis.Redis
) -> None:
    populate(network)
    async with consuming("feeds"), verifying("feeds") as verifier:
        found = await verifier.compare()
        assert named(found) == {}
        assert found.compared == 6
        at = base(raw)
        raw.delete(f"{at}post:post0")
        for pool in raw.scan_iter(f"{at}*:*"):
            if ":post:" not in pool:
                raw.zrem(pool, "post1")
        raw.zincrby(f"{at}recent:public", 5, "post4")
        raw.zadd(f"{at}recent:school:south", {"post2": 1.0})
        raw.set(f"{at}post:stray", str(raw.get(f"{at}post:stray")).replace("guest", "anna"))
        raw.zadd(f"{at}recent:public", {"ghost": 7.0})
        raw.set(f"{at}post:orphan", "{}\n{}")
        found = await verifier.compare()
        mended = await verifier.repair(found)
        after = await verifier.compare()
    assert named(found) == {
        "extra": {"posts/ghost", "posts/orphan"},
        "stale": {f"posts/{post}" for post in ("post0", "post1", "post2", "post4", "stray")},
    }
    assert mended == 7
    assert named(after) == {}


async def test_numbers_without_an_event_are_no_difference(
    network: Network, consuming: Consuming, verifying: Verifying
) -> None:
    populate(network)
    async with consuming("feeds"), verifying("feeds") as verifier:
        assert named(await verifier.compare()) == {}
        network.change("posts", "post0", sharesCount=40, viewsCount=1000, edScore=1.0, edScoreCount=90)
        assert named(await verifier.compare()) == {}
        network.change("posts", "post0", isPinned=True)
        assert named(await verifier.compare()) == {}


async def test_what_a_cap_has_dropped_is_not_missing(
    monkeypatch: pytest.MonkeyPatch, network: Network, consuming: Consuming, verifying: Verifying
) -> None:
    monkeypatch.setattr(store, "_CAPS", {"public": 3, "school": 3, "author": 4, "hot": 2})
    for number in range(12):
        network.post("teacher", f"number {number}", "north", id=f"post{number:02}")
    async with consuming("feeds"), verifying("feeds") as verifier:
        found = await verifier.compare()
        network.delete("posts", "post11")
        again = await verifier.compare()
    assert named(found) == {}
    assert named(again) == {}


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("mark", lambda user: 1),
        ("fold_tag", str.strip),
        ("hot_score", lambda engagement, created: 1.0),
        ("_quality_of", lambda row: 0.01),
    ],
)
async def test_a_bug_of_the_mapping_is_found(
    rule: str,
    changed: Any,
    monkeypatch: pytest.MonkeyPatch,
    network: Network,
    consuming: Consuming,
    verifying: Verifying,
    connection: psycopg.Connection[Any],
) -> None:
    populate(network)
    monkeypatch.setattr(mapping, rule, changed)
    async with consuming("feeds"), verifying("feeds") as verifier:
        found = await verifier.compare()
    assert found.stale
    assert found.count == len(found.stale)
