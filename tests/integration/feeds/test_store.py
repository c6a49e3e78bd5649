"""The two scripts on a real server: one owner, one checkpoint, bounded pools, nothing left behind."""

from __future__ import annotations

import random
from typing import cast

import pytest

from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from consumers.feeds import schema, store
from consumers.feeds.mapping import PostState, encode
from consumers.feeds.pools import Group
from consumers.feeds.projection import FeedsProjection
from consumers.feeds.ranking import Candidate
from consumers.feeds.store import Changes, FeedStore
from runtime.errors import Retryable
from runtime.redis import Client, open_client
from tests.integration.feeds.network import Network

CAPS = {"public": 6, "school": 5, "author": 4, "hot": 3}


@pytest.fixture
async def feeds(client: Client) -> FeedStore:
    made = FeedStore(client, "stunity")
    await made.prepare()
    return made


def state(number: int, *, at: int | None = None, **columns: object) -> PostState:
    defaults = {"author": f"a{number % 3}", "school": "s", "visibility": "PUBLIC", "type": "ARTICLE"}
    moment = {
        "created_ms": 1_700_000_000_000 + (number if at is None else at),
        "pinned": False,
        "quality": 0.5,
    }
    return encode(Candidate(**{"id": f"p{number:03}", **defaults, **moment, **columns}))  # type: ignore[arg-type]


async def test_a_batch_and_its_checkpoint_are_one(feeds: FeedStore) -> None:
    assert await feeds.read_checkpoint() is None
    await feeds.apply(Changes([state(1)]), "one", 1)
    assert await feeds.read_checkpoint() == "one"
    await feeds.apply(Changes(), "two", 1)
    assert await feeds.read_checkpoint() == "two"


async def test_a_paused_former_owner_has_no_effect(
    feeds: FeedStore, client: Client, network: Network, projection: FeedsProjection
) -> None:
    await network.apply([], generation=7)
    network.post("bo", "p")
    before = {key async for key in client.scan_iter("*")}
    with pytest.raises(StaleOwner):
        await projection.apply(Batch(network.new_events(), "late", 6))
    assert {key async for key in client.scan_iter("*")} == before
    assert await feeds.read_checkpoint() == "checkpoint"


async def test_a_view_that_was_lost_is_noticed_before_anything_is_written(
    feeds: FeedStore, client: Client
) -> None:
    await feeds.apply(Changes([state(1)]), "one", 1)
    await client.flushall()
    with pytest.raises(StoreForgot):
        await feeds.apply(Changes([state(2)]), "two", 1)
    assert await client.dbsize() == 0
    with pytest.raises(Retryable):
        await feeds.gather([], [])
    other = FeedStore(client, "stunity")
    await other.prepare()
    assert await feeds.read_checkpoint() is None
    with pytest.raises(StoreForgot):
        await feeds.apply(Changes([state(2)]), "two", 1)
    await feeds.prepare()
    assert await feeds.read_checkpoint() is None
    await feeds.apply(Changes([state(2)]), "two", 1)
    assert await feeds.read_checkpoint() == "two"


async def test_another_life_leaves_nothing_of_the_one_before(feeds: FeedStore, client: Client) -> None:
    await feeds.apply(Changes([state(number) for number in range(5)]), "one", 1)
    former = f"{schema.root('stunity')}meta:former"
    await client.hset(former, "incarnation", "killed")  # before its keys were gone
    await client.set(f"{schema.root('stunity')}killed:post:p000", "x")
    await feeds.clear(2)
    assert await feeds.read_checkpoint() == "one"
    assert [key async for key in client.scan_iter("stunity:{feeds}:*")] == [schema.meta("stunity").encode()]
    with pytest.raises(StaleOwner):
        await feeds.clear(1)


async def test_redis_away_is_retryable() -> None:
    async with open_client("redis://127.0.0.1:1", timeout=0.2) as nowhere:
        away = FeedStore(nowhere, "stunity")
        for attempt in (
            away.prepare(),
            away.read_checkpoint(),
            away.apply(Changes(), "c", 1),
            away.gather([], []),
        ):
            with pytest.raises(Retryable):
                await attempt


async def test_versions_move_with_what_changed(feeds: FeedStore) -> None:
    names = ["a:a1", "s:s", "d:s", "p", "a:a2", "u:ada"]

    async def moved(changes: Changes) -> list[str]:
        before = (await feeds.gather([], names)).versions
        await feeds.apply(changes, "c", 1)
        after = (await feeds.gather([], names)).versions
        return [name for name, one, other in zip(names, before, after, strict=True) if one != other]

    assert await moved(Changes([state(1)])) == ["a:a1", "s:s", "d:s", "p"]
    assert await moved(Changes([state(1)])) == []
    assert await moved(Changes([state(1, likes=3)])) == ["d:s", "p"]
    assert await moved(Changes([state(1, visibility="CLASS")])) == ["a:a1", "s:s", "d:s", "p"]
    assert await moved(Changes([state(1, visibility="PRIVATE")])) == ["a:a1"]
    assert await moved(Changes([state(1, visibility="PRIVATE", likes=9)])) == []
    assert await moved(Changes([state(2), state(1)])) == ["a:a1", "s:s", "d:s", "p", "a:a2"]
    assert await moved(Changes(gone=["p001", "unknown"])) == ["a:a1", "s:s", "d:s", "p"]
    assert await moved(Changes(moved=["u:ada"])) == ["u:ada"]


async def test_one_answer_holds_the_best_of_several_pools(feeds: FeedStore) -> None:
    await feeds.apply(Changes([state(number) for number in range(9)]), "c", 1)
    authors = [schema.author_pool(f"a{number}") for number in range(3)]

    async def found(group: Group) -> list[str]:
        answer = await feeds.gather([group], [])
        return [text.decode()[6:10] for text in answer.posts]

    assert await found(Group(authors, 2, 100)) == ["p006", "p003", "p007", "p004", "p008", "p005"]
    assert await found(Group(authors, 3, 4)) == ["p008", "p007", "p006", "p005"]
    highest = str(1_700_000_000_004)
    assert await found(Group([schema.PUBLIC_POOL], 2, 2, max=highest)) == ["p004", "p003"]
    assert (await feeds.gather([Group(authors, 9, 100)], [])).cut is False
    assert (await feeds.gather([Group(authors, 3, 100)], [])).cut is True


@pytest.mark.parametrize("seed", range(3))
async def test_pools_stay_bounded_and_posts_live_as_long_as_a_pool_holds_them(
    feeds: FeedStore, client: Client, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(store, "_CAPS", CAPS)
    choose = random.Random(seed)
    for _ in range(60):
        numbers = choose.sample(range(30), 5)
        visibility = choose.choice(["PUBLIC", "SCHOOL", "CLASS", "PRIVATE"])
        states = [
            state(number, visibility=visibility, likes=choose.randint(0, 3), pinned=choose.random() < 0.1)
            for number in numbers[:3]
        ]
        await feeds.apply(Changes(states, [f"p{number:03}" for number in numbers[3:]]), "c", 1)

    held: set[bytes] = set()
    async for key in client.scan_iter("stunity:{feeds}:*"):
        name = key.decode().split(":", 3)[3] if key.count(b":") > 2 else ""
        if name.startswith(("recent:", "hot:")):
            members = cast(list[bytes], await client.zrange(key, 0, -1))
            held.update(members)
            cap = "hot" if name.startswith("hot:") else name.split(":")[1]
            assert len(members) <= CAPS.get(cap, CAPS["author"]), name
    posts = {key.rpartition(b":")[2] async for key in client.scan_iter("*:post:*")}
    assert posts == held


async def test_a_pool_remembers_how_deep_it_has_been_cut(
    feeds: FeedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_CAPS", CAPS)
    pools = [schema.PUBLIC_POOL, schema.school_pool("s"), schema.author_pool("a0")]
    await feeds.apply(Changes([state(number, author=f"b{number}") for number in range(5)]), "c", 1)
    assert (await feeds.gather([], [], pools)).floors == (float("-inf"),) * 3
    await feeds.apply(Changes([state(number, author=f"b{number}") for number in range(5, 9)]), "c", 1)
    first = 1_700_000_000_000
    assert (await feeds.gather([], [], pools)).floors == (first + 2, first + 3, float("-inf"))
    await feeds.apply(Changes(gone=[f"p{number:03}" for number in range(9)]), "c", 1)
    assert (await feeds.gather([], [], pools)).floors[0] == first + 2
