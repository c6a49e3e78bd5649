"""PostgreSQL gives what Redis gives: the same posts in the same order, whatever has happened."""

from __future__ import annotations

import random

import pytest

from runtime.redis import Client
from tests.integration.feeds.conftest import Ask, ids
from tests.integration.feeds.network import Network

TAGS = ["algebra", "Physics", "ភាសាខ្មែរ", "exam", "study-tips"]
TYPES = ["ARTICLE", "ARTICLE", "QUIZ", "QUESTION", "POLL", "COURSE"]
VISIBILITIES = ["PUBLIC", "SCHOOL", "SCHOOL", "CLASS", "PRIVATE"]


def busy(network: Network, seed: int) -> list[str]:
    """Ninety posts of ten people in two schools, with everything that people do."""
    choose = random.Random(seed)
    people = [f"n{n}" for n in range(10)]
    for number, person in enumerate(people):
        network.user(person, school=("s1", "s2")[number % 3 == 0], interests=choose.sample(TAGS, 2))
    network.classroom("c1", people[1:4])
    for person in people[:5]:
        network.follow(person, *choose.sample([other for other in people if other != person], 3))
    posts = [
        network.post(
            choose.choice(people), type=choose.choice(TYPES), tags=choose.sample(TAGS, 2),
            visibility=choose.choice(VISIBILITIES), pinned=number == 40,
        )
        for number in range(90)
    ]  # fmt: skip
    for post in choose.sample(posts, 30):
        network.like(post, *choose.sample(people, choose.randint(1, 5)))
        network.comment(post, choose.choice(people))
    network.block(people[1], people[6])
    network.conn.execute("UPDATE users SET \"isActive\" = false WHERE id = 'n7'")
    network.conn.execute("DELETE FROM posts WHERE id = ANY (%s)", (choose.sample(posts, 5),))
    network.conn.execute(
        "UPDATE posts SET visibility = 'PUBLIC', \"topicTags\" = NULL WHERE id = ANY (%s)", (posts[:5],)
    )
    return people


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_same_posts_in_the_same_order(
    network: Network, feed: Ask, bare_feed: Ask, seed: int
) -> None:
    people = busy(network, seed)
    await network.sync()
    for person in people:
        if person == "n7":
            continue
        for mode in ("FOR_YOU", "FOLLOWING", "RECENT"):
            view, truth = (
                await feed(person, mode=mode, limit=50),
                await bare_feed(person, mode=mode, limit=50),
            )
            assert ids(view) == ids(truth), (person, mode)
            for one, other in zip(view.json()["data"], truth.json()["data"], strict=True):
                if mode != "RECENT":
                    assert one["data"].pop("_score") == pytest.approx(other["data"].pop("_score"), abs=0.001)
                    one["data"].pop("_scoreBreakdown"), other["data"].pop("_scoreBreakdown")
                assert one == other


async def test_events_in_any_order_and_repeated_end_in_the_same_view(
    network: Network, client: Client
) -> None:
    busy(network, 3)
    events = network.new_events()
    await network.apply(events)

    async def state() -> dict[bytes, object]:
        found: dict[bytes, object] = {}
        async for key in client.scan_iter("stunity:{feeds}:*"):
            if b":post:" in key:
                found[key] = await client.get(key)
            elif b"recent:" in key or b"hot:" in key:
                found[key] = await client.zrange(key, 0, -1, withscores=True)
        return found

    once = await state()
    assert len(once) > 60
    shuffled = list(events)
    random.Random(4).shuffle(shuffled)
    for start in range(0, len(shuffled), 50):
        await network.apply(shuffled[start : start + 50])
    assert await state() == once


async def test_redis_lost_is_answered_from_postgresql_and_filled_again(
    network: Network, feed: Ask, client: Client
) -> None:
    network.post("bo", "p")
    await network.sync()
    assert ids(await feed("ada")) == ["p"]
    await client.flushall()
    assert ids(await feed("ada", source="postgres")) == ["p"]
