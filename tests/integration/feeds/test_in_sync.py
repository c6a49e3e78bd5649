"""Every kind of event shows in the very next page, with no TTL running out."""

from __future__ import annotations

import pytest

from runtime.redis import Client
from tests.integration.feeds.conftest import Ask, ids
from tests.integration.feeds.network import Network


async def test_a_new_post_enters_a_followers_page_at_once(network: Network, feed: Ask) -> None:
    network.user("far", school="s2")
    network.follow("ada", "far")
    network.post("far", "old", visibility="PUBLIC")
    await network.sync()
    assert ids(await feed("ada", mode="FOLLOWING")) == ["old"]
    assert (await feed("ada", mode="FOLLOWING")).headers["X-Cache"] == "HIT"

    network.post("far", "new", visibility="PUBLIC")
    await network.sync()

    page = await feed("ada", mode="FOLLOWING")
    assert page.headers["X-Cache"] == "MISS"
    assert set(ids(page)) == {"old", "new"}
    assert "new" in ids(await feed("ada"))


async def test_a_new_post_enters_the_pages_of_its_school_and_of_no_other(network: Network, feed: Ask) -> None:
    for mode in ("FOR_YOU", "RECENT"):
        assert ids(await feed("ada", mode=mode)) == ids(await feed("zoe", mode=mode)) == []
    network.post("bo", "news")
    await network.sync()
    for mode in ("FOR_YOU", "RECENT"):
        assert ids(await feed("ada", mode=mode)) == ["news"]
        assert ids(await feed("zoe", mode=mode)) == []


async def test_an_edit_shows(network: Network, feed: Ask) -> None:
    network.post("bo", "p")
    await network.sync()
    assert (await feed("ada")).json()["data"][0]["data"]["content"] == "text"
    network.conn.execute("UPDATE posts SET content = 'better', \"postType\" = 'COURSE' WHERE id = 'p'")
    assert await network.sync() == ["post.updated.v1"]
    page = await feed("ada")
    card = page.json()["data"][0]["data"]
    assert card["content"] == "better"
    assert card["_scoreBreakdown"]["quality"] == pytest.approx(0.85)


async def test_a_deleted_post_is_gone_from_pages_and_from_redis(
    network: Network, feed: Ask, client: Client
) -> None:
    network.post("bo", "p", visibility="PUBLIC")
    network.like("p", "cy")
    await network.sync()
    assert ids(await feed("ada")) == ["p"]
    network.conn.execute("DELETE FROM posts WHERE id = 'p'")
    assert ids(await feed("ada")) == []  # hydration is before the event
    await network.sync()
    assert ids(await feed("ada")) == []
    left = [key async for key in client.scan_iter("stunity:{feeds}:*")]
    assert sorted(key.rpartition(b":")[2] for key in left) == [b"meta", b"versions"]


async def test_a_narrower_visibility_holds_before_and_after_its_event(network: Network, feed: Ask) -> None:
    network.post("bo", "p", visibility="PUBLIC")
    await network.sync()
    assert ids(await feed("zoe")) == ["p"]
    network.conn.execute("UPDATE posts SET visibility = 'PRIVATE' WHERE id = 'p'")
    assert ids(await feed("zoe")) == ids(await feed("ada")) == []
    await network.sync()
    assert ids(await feed("zoe")) == ids(await feed("ada")) == []
    assert ids(await feed("bo")) == ["p"]


async def test_a_block_hides_both_from_each_other_at_once_and_an_unblock_brings_them_back(
    network: Network, feed: Ask
) -> None:
    network.post("bo", "of-bo")
    network.post("ada", "of-ada")
    await network.sync()
    assert set(ids(await feed("ada"))) == set(ids(await feed("bo"))) == {"of-bo", "of-ada"}
    network.block("ada", "bo")
    assert ids(await feed("ada")) == ["of-ada"]
    assert ids(await feed("bo")) == ["of-bo"]
    assert await network.sync() == ["block.created.v1"]
    assert ids(await feed("ada")) == ["of-ada"]
    network.conn.execute("DELETE FROM user_blocks")
    await network.sync()
    assert set(ids(await feed("ada"))) == {"of-bo", "of-ada"}


async def test_following_and_unfollowing_change_the_page(network: Network, feed: Ask) -> None:
    network.post("zoe", "z", visibility="PUBLIC")
    await network.sync()
    assert ids(await feed("ada", mode="FOLLOWING")) == []
    network.follow("ada", "zoe")
    assert await network.sync() == ["follow.created.v1"]
    assert ids(await feed("ada", mode="FOLLOWING")) == ["z"]
    assert (await feed("ada")).json()["data"][0]["data"]["_scoreBreakdown"]["relevance"] == pytest.approx(0.2)
    network.conn.execute("DELETE FROM follows")
    await network.sync()
    assert ids(await feed("ada", mode="FOLLOWING")) == []


async def test_an_inactive_author_disappears_and_comes_back(
    network: Network, feed: Ask, client: Client
) -> None:
    network.post("bo", "p", visibility="PUBLIC")
    await network.sync()
    assert ids(await feed("ada")) == ["p"]
    for off, on in (
        ('"isActive" = false', '"isActive" = true'),
        ('"accountSuspendedAt" = now()', '"accountSuspendedAt" = NULL'),
    ):
        network.conn.execute(f"UPDATE users SET {off} WHERE id = 'bo'")
        assert ids(await feed("ada")) == []
        await network.sync()
        assert ids(await feed("ada")) == []
        assert not [key async for key in client.scan_iter("*:post:*")]
        network.conn.execute(f"UPDATE users SET {on} WHERE id = 'bo'")
        await network.sync()
        assert ids(await feed("ada")) == ["p"]


async def test_likes_and_comments_move_the_score(network: Network, feed: Ask) -> None:
    network.user("fan")
    network.follow("ada", "fan")
    network.post("bo", "p")
    await network.sync()
    before = (await feed("dee")).json()["data"][0]["data"]["_scoreBreakdown"]
    assert before["engagement"] == before["socialProof"] == 0
    network.like("p", "fan", "cy")
    network.comment("p", "fan")
    types = await network.sync()
    assert {"like.created.v1", "comment.created.v1"} <= set(types)
    after = (await feed("ada")).json()["data"][0]["data"]
    assert after["_scoreBreakdown"]["engagement"] == pytest.approx(11 / 61, abs=1e-4)
    assert after["_scoreBreakdown"]["socialProof"] == pytest.approx(5 / 15, abs=1e-4)
    assert after["likesCount"] == 2
    network.conn.execute("DELETE FROM likes")
    await network.sync()
    again = (await feed("cy", mode="FOR_YOU")).json()["data"][0]["data"]["_scoreBreakdown"]
    assert again["engagement"] == pytest.approx(5 / 55, abs=1e-4)


async def test_own_likes_become_interests(network: Network, feed: Ask) -> None:
    network.post("bo", "p", tags=["Physics", "grade-12"])
    network.post("cy", "q", tags=["physics"])
    await network.sync()
    network.like("p", "ada")
    await network.sync()
    cards = {item["data"]["id"]: item["data"] for item in (await feed("ada")).json()["data"]}
    assert cards["q"]["_scoreBreakdown"]["relevance"] == pytest.approx(0.03)


async def test_stated_interests_count_as_soon_as_they_are_stated(network: Network, feed: Ask) -> None:
    network.post("bo", "p", tags=["គណិតវិទ្យា"])
    await network.sync()
    await feed("ada")
    network.conn.execute("UPDATE users SET interests = ARRAY['គណិតវិទ្យា'] WHERE id = 'ada'")
    assert await network.sync() == ["user.updated.v1"]
    page = await feed("ada")
    assert page.json()["data"][0]["data"]["_scoreBreakdown"]["relevance"] == pytest.approx(0.2)


async def test_joining_a_club_makes_a_circle(network: Network, feed: Ask) -> None:
    network.post("bo", "p")
    network.like("p", "cy")
    network.conn.execute(
        "INSERT INTO study_clubs (id, name, \"creatorId\", \"updatedAt\") VALUES ('c', 'Club', 'cy', now())"
    )
    for user in ("ada", "cy"):
        network.conn.execute(
            'INSERT INTO club_members (id, "clubId", "userId") VALUES (%s, %s, %s)', (f"m-{user}", "c", user)
        )
    await network.sync()
    page = await feed("ada")
    assert page.json()["data"][0]["data"]["_scoreBreakdown"]["socialProof"] == pytest.approx(2 / 15, abs=1e-4)


async def test_an_enrolment_gives_posts_a_learning_context(network: Network, feed: Ask) -> None:
    network.post("bo", "p", tags=["Algebra", "exam"], type="TUTORIAL")
    network.conn.execute(
        'INSERT INTO courses (id, title, description, category, tags, "instructorId", "updatedAt")'
        " VALUES ('k', 'T', 'D', 'Mathematics', ARRAY['algebra'], 'cy', now())"
    )
    await network.sync()
    network.conn.execute("INSERT INTO enrollments (id, \"userId\", \"courseId\") VALUES ('e', 'ada', 'k')")
    assert await network.sync() == ["enrollment.changed.v1"]
    page = await feed("ada")
    assert page.json()["data"][0]["data"]["_scoreBreakdown"]["learningContext"] == pytest.approx(0.65)


async def test_class_posts_reach_the_class(network: Network, feed: Ask) -> None:
    network.classroom("c1", ["ada", "bo"])
    network.post("bo", "p", visibility="CLASS")
    await network.sync()
    for mode in ("FOR_YOU", "RECENT"):
        assert ids(await feed("ada", mode=mode)) == ["p"]
        assert ids(await feed("cy", mode=mode)) == []
    assert (await feed("ada")).headers["X-Cache"] == "HIT"
    network.post("bo", "q", visibility="CLASS")
    await network.sync()
    assert set(ids(await feed("ada"))) == {"p", "q"}


async def test_a_user_deleted_with_all_posts_leaves_nothing(
    network: Network, feed: Ask, client: Client
) -> None:
    for _ in range(3):
        network.post("bo", visibility="PUBLIC")
    network.post("bo", visibility="PRIVATE")
    await network.sync()
    network.conn.execute("DELETE FROM users WHERE id = 'bo'")
    await network.sync()
    assert ids(await feed("ada")) == []
    assert not [key async for key in client.scan_iter("*:post:*")]


async def test_noise_moves_nothing(network: Network, feed: Ask) -> None:
    network.post("bo", "p")
    await network.sync()
    await feed("ada")
    network.conn.execute('UPDATE posts SET "viewsCount" = 7, "trendingScore" = 3, "updatedAt" = now()')
    network.conn.execute(
        'UPDATE users SET "privacySettings" = \'{"mobileApp": {"lastActiveAt": 1}}\', "updatedAt" = now()'
    )
    assert await network.sync() == []
    assert (await feed("ada")).headers["X-Cache"] == "HIT"


async def test_moving_to_another_school_changes_the_page_at_once(network: Network, feed: Ask) -> None:
    network.post("bo", "first")
    network.post("zoe", "second")
    await network.sync()
    assert ids(await feed("ada")) == ["first"]
    network.conn.execute("UPDATE users SET \"schoolId\" = 's2' WHERE id = 'ada'")
    assert ids(await feed("ada")) == ["second"]
