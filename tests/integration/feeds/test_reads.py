"""What a reader gets: warm reads, ETags, cursors that hold while posts arrive, and nothing that is not theirs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest

from consumers.feeds import schema
from runtime.redis import Client
from tests.integration.feeds.conftest import Ask, ids
from tests.integration.feeds.network import Network

_STATEMENTS = """
SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
 WHERE d.datname = current_database() AND query NOT LIKE '%%pg_stat_statements%%'
"""


async def test_a_warm_read_runs_no_ranking_query(network: Network, feed: Ask) -> None:
    for number in range(40):
        network.post("bo", visibility="PUBLIC", tags=[f"t{number}"])
    network.follow("ada", "bo", "cy")
    await network.sync()
    network.conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    first = await feed("ada")
    network.conn.execute("SELECT pg_stat_statements_reset()")
    again = await feed("ada")
    more = await feed("ada", cursor=first.json()["nextCursor"])
    await feed("ada", mode="RECENT")
    assert [again.headers["X-Cache"], more.headers["X-Cache"]] == ["HIT", "HIT"]

    queries = [row[0] for row in network.conn.execute(_STATEMENTS).fetchall()]
    about_posts = [query for query in queries if "posts" in query]
    assert len(about_posts) == 1, about_posts
    assert "unnest($" in about_posts[0]  # the cards of these ids
    assert 'p."authorId" <> ALL' in about_posts[0]  # under the visibility rule
    assert not any("follows" in query or "embeddings" in query for query in queries)


async def test_a_new_post_is_ranked_in_without_a_ranking_query(network: Network, feed: Ask) -> None:
    network.post("bo", "p")
    await network.sync()
    await feed("ada")
    network.post("bo", "q")
    await network.sync()
    network.conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    network.conn.execute("SELECT pg_stat_statements_reset()")
    page = await feed("ada")
    assert (page.headers["X-Cache"], set(ids(page))) == ("MISS", {"p", "q"})
    queries = [row[0] for row in network.conn.execute(_STATEMENTS).fetchall()]
    assert len([query for query in queries if "posts" in query]) == 1


async def test_etag_holds_until_something_shown_changes(network: Network, feed: Ask) -> None:
    network.post("bo", "p")
    await network.sync()
    first = await feed("ada")
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for tags in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        known = await feed("ada", etag=tags)
        assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", etag)
        assert known.headers["Stunity-Source"] == "redis"
    assert (await feed("ada", etag='W/"feed-other"')).status_code == 200

    network.like("p", "ada")  # the viewer's own mark on a card, before any event
    changed = await feed("ada", etag=etag)
    assert changed.status_code == 200
    assert changed.json()["data"][0]["data"]["isLikedByMe"] is True
    assert (await feed("ada", etag=changed.headers["ETag"])).status_code == 304
    assert (await feed("bo", etag=changed.headers["ETag"])).status_code == 200


async def test_scores_and_their_parts_come_with_the_cards(network: Network, feed: Ask) -> None:
    network.post("bo", "p")
    await network.sync()
    body = (await feed("ada")).json()
    card = body["data"][0]["data"]
    assert body["data"][0]["type"] == "POST"
    assert set(card["_scoreBreakdown"]) == {
        "engagement", "relevance", "quality", "recency", "socialProof", "learningContext", "semantic",
    }  # fmt: skip
    assert 0 < card["_score"] < 1
    assert body["meta"]["mode"] == "FOR_YOU"
    assert body["nextCursor"] is None
    recent = (await feed("ada", mode="RECENT")).json()
    assert "_score" not in recent["data"][0]["data"]


async def scroll(ask: Ask, user: str, between: Any = None, **query: Any) -> list[str]:
    """All pages, with something happening between them."""
    seen: list[str] = []
    cursor = None
    for _ in range(100):
        page = await ask(user, **query, **({"cursor": cursor} if cursor else {}))
        seen += ids(page)
        cursor = page.json()["nextCursor"]
        if cursor is None:
            return seen
        if between:
            await between()
    raise AssertionError("no end")


@pytest.mark.parametrize("mode", ["FOR_YOU", "FOLLOWING", "RECENT"])
async def test_pages_neither_repeat_nor_skip_while_posts_arrive(
    network: Network, feed: Ask, bare_feed: Ask, mode: str
) -> None:
    network.follow("ada", "bo", "cy")
    for _ in range(23):
        turn = len(network.posts)
        network.post(("bo", "cy")[turn % 2], type=("QUIZ", "ARTICLE", "POLL")[turn % 3])
    network.like(network.posts[0], "dee")
    await network.sync()

    async def arrive() -> None:
        """Newer posts, and likes that change the order of older ones."""
        later = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=1)
        network.post("bo", visibility="PUBLIC", at=later)
        network.like(network.posts[len(network.posts) % 20], f"fan{len(network.posts)}")
        await network.sync()

    network.user(*(f"fan{number}" for number in range(23, 60)))
    for ask in (feed, bare_feed):
        there = set(network.posts)
        seen = await scroll(ask, "ada", arrive, mode=mode, limit=4)
        assert len(seen) == len(set(seen))
        assert set(seen) == there
        assert len(network.posts) >= len(there) + 5
        network.conn.execute('UPDATE posts SET "createdAt" = "createdAt" - interval \'1 h\'')
        await network.sync()


async def test_a_list_that_redis_has_lost_is_continued_without_repeats(
    network: Network, feed: Ask, client: Client
) -> None:
    there = {network.post("bo") for _ in range(12)}
    await network.sync()

    async def lose() -> None:
        for key in [key async for key in client.scan_iter("stunity:feed:*")]:
            await client.delete(key)

    seen = await scroll(feed, "ada", lose, limit=5)
    assert sorted(seen) == sorted(there)


async def test_a_cursor_goes_on_between_redis_and_postgresql(
    network: Network, feed: Ask, bare_feed: Ask
) -> None:
    there = {network.post("bo") for _ in range(12)}
    await network.sync()
    asks = [feed, bare_feed, feed, bare_feed]

    async def alternating(user: str, **query: Any) -> httpx.Response:
        return await asks.pop(0)(user, **query)

    assert sorted(await scroll(alternating, "ada", limit=3)) == sorted(there)


async def test_after_the_ranked_posts_the_rest_follows_in_chronological_order(
    network: Network, feed: Ask, bare_feed: Ask
) -> None:
    users = [f"w{n}" for n in range(12)]
    network.user(*users)
    network.follow("ada", *users)
    there = [network.post(users[n % 12], visibility="PUBLIC") for n in range(260)]
    await network.sync()
    for mode in ("FOR_YOU", "FOLLOWING"):
        for ask in (feed, bare_feed):
            seen = await scroll(ask, "ada", mode=mode, limit=50, source=None)
            assert len(seen) == len(set(seen)) == 260
            assert set(seen) == set(there)
            assert seen[200:] == [post for post in reversed(there) if post in seen[200:]]


async def test_recent_goes_deeper_than_the_pools(
    network: Network, feed: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consumers.feeds import store

    monkeypatch.setitem(store._CAPS, "public", 30)
    monkeypatch.setitem(store._CAPS, "school", 30)
    monkeypatch.setitem(store._CAPS, "author", 30)
    there = [network.post("bo", visibility="PUBLIC") for _ in range(60)]
    pinned = network.post("cy", pinned=True)
    await network.sync()
    newer = [network.post("cy", visibility="PUBLIC") for _ in range(3)]
    await network.sync()
    seen = await scroll(feed, "ada", mode="RECENT", limit=10, source=None)
    assert seen == [pinned, *reversed(newer), *reversed(there)]


async def test_what_is_hidden_leaves_no_hole_in_a_page(network: Network, feed: Ask) -> None:
    posts = [network.post("bo") for _ in range(10)]
    await network.sync()
    assert len(ids(await feed("ada", limit=5))) == 5
    network.conn.execute("DELETE FROM posts WHERE id = ANY (%s)", (posts[-4:],))
    page = await feed("ada", limit=5)
    assert len(ids(page)) == 5
    assert not set(ids(page)) & set(posts[-4:])


async def test_nothing_of_another_school_is_in_any_mode(network: Network, feed: Ask, bare_feed: Ask) -> None:
    for visibility in ("SCHOOL", "CLASS", "PRIVATE"):
        network.post("bo", visibility=visibility)
    network.follow("zoe", "bo")
    public = network.post("bo", visibility="PUBLIC")
    await network.sync()
    for mode in ("FOR_YOU", "FOLLOWING", "RECENT"):
        for ask in (feed, bare_feed):
            assert ids(await ask("zoe", mode=mode)) == [public]


async def test_a_viewer_without_a_school_sees_what_is_public(
    network: Network, feed: Ask, bare_feed: Ask
) -> None:
    network.user("guest", school=None)
    own = network.post("guest", visibility="SCHOOL")
    network.post("bo", visibility="SCHOOL")
    public = network.post("bo", visibility="PUBLIC")
    await network.sync()
    for ask in (feed, bare_feed):
        assert set(ids(await ask("guest"))) == {own, public}


async def test_hidden_posts_stay_away_where_there_is_a_feedback_table(
    network: Network, feed: Ask, bare_feed: Ask
) -> None:
    network.conn.execute(
        """CREATE TABLE user_post_feedback (id text PRIMARY KEY, "userId" text, "postId" text, "feedbackType" text,
           "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP)"""
    )
    network.post("bo", "p", type="QUIZ", tags=["poems"])
    network.post("cy", "q", type="QUIZ", tags=["poems"])
    await network.sync()
    before = (await bare_feed("ada")).json()["data"][0]["data"]["_score"]
    assert set(ids(await feed("ada"))) == {"p", "q"}
    network.conn.execute("INSERT INTO user_post_feedback VALUES ('f', 'ada', 'p', 'HIDE')")
    assert ids(await feed("ada")) == ids(await feed("ada", mode="RECENT")) == ["q"]
    page = await bare_feed("ada")
    assert ids(page) == ["q"]
    assert page.json()["data"][0]["data"]["_score"] < before - 0.05


async def test_semantic_scores_count_where_there_are_vectors(
    network: Network, feed: Ask, bare_feed: Ask
) -> None:
    network.post("bo", "far")
    network.post("cy", "near")
    await network.sync()
    network.conn.execute(
        """CREATE SCHEMA IF NOT EXISTS embeddings;
           DROP FUNCTION IF EXISTS embeddings.semantic_scores(text, text[]);
           CREATE FUNCTION embeddings.semantic_scores(viewer text, posts text[])
           RETURNS TABLE (post_id text, score double precision) LANGUAGE sql AS
           $$ SELECT 'near', 0.5::float8 WHERE 'near' = ANY (posts) $$"""
    )
    for ask in (feed, bare_feed):
        cards = {item["data"]["id"]: item["data"] for item in (await ask("ada")).json()["data"]}
        assert cards["near"]["_scoreBreakdown"]["semantic"] == 0.5
        assert cards["far"]["_scoreBreakdown"]["semantic"] == 0
    network.conn.execute(
        """CREATE OR REPLACE FUNCTION embeddings.semantic_scores(viewer text, posts text[])
           RETURNS TABLE (post_id text, score double precision) LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_sleep(5); END $$"""
    )
    assert len(ids(await feed("bo"))) == 2  # too slow: the feed does without


async def test_strangers_posts_wait_until_a_page_is_no_longer_young(
    network: Network, feed: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.post("zoe", "p", visibility="PUBLIC")
    await network.sync()
    assert ids(await feed("ada")) == ["p"]
    network.post("zoe", "q", visibility="PUBLIC")
    await network.sync()
    assert (await feed("ada")).headers["X-Cache"] == "HIT"
    monkeypatch.setattr("consumers.feeds.session.DRIFT_SECONDS", 0)
    assert set(ids(await feed("ada"))) == {"p", "q"}


async def test_kept_pages_end_by_themselves(network: Network, feed: Ask, client: Client) -> None:
    network.post("bo", "p")
    await network.sync()
    await feed("ada")
    network.post("bo", "q")
    await network.sync()
    former = cast(bytes, await client.get("stunity:feed:{ada}:now:FOR_YOU")).decode()
    await feed("ada")
    assert 0 < await client.ttl(f"stunity:feed:{{ada}}:session:{former}") <= schema.FORMER_TTL
    await client.delete(f"stunity:feed:{{ada}}:session:{former}")
    keys = [key async for key in client.scan_iter("stunity:feed:{ada}:*")]
    ttls = {key.decode().split(":")[3]: await client.ttl(key) for key in keys}
    assert 0 < ttls["session"] <= schema.SESSION_TTL == 900
    assert 0 < ttls["now"] <= 900
    assert 0 < ttls["profile"] <= schema.PROFILE_TTL


async def test_bad_questions_get_problem_details(network: Network, api: httpx.AsyncClient) -> None:
    questions: list[dict[str, Any]] = [
        {"mode": "BRAIN"}, {"limit": 0}, {"limit": 51}, {"limit": "x"}, {"cursor": "nonsense"}, {"cursor": "\0"},
        {"cursor": "v1." + "A" * 5000}, {"cursor": "v1.%F0%9F"},
    ]  # fmt: skip
    for query in questions:
        response = await api.get("/feed", params=query, headers=network.headers("ada"))
        assert response.status_code in (400, 422), query
        assert response.headers["content-type"] == "application/problem+json"
    assert (await api.get("/feed")).status_code == 401


async def test_many_readers_at_once_get_the_same(network: Network, feed: Ask) -> None:
    posts = {network.post("bo") for _ in range(5)}
    await network.sync()
    pages = await asyncio.gather(*(feed("ada") for _ in range(8)))
    assert all(set(ids(page)) == posts for page in pages)
