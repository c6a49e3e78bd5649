"""Likes, comments, bookmarks and views: idempotent, counted once, and only on what one may see."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.producers.conftest import School


async def test_liking_twice_counts_once_and_a_swap_changes_no_counter(school: School) -> None:
    post = await school.post("dara")
    for body in (None, {"reactionType": "LIKE"}, {"reactionType": "INSIGHTFUL"}):
        assert (await school.call("bopha", "PUT", f"/posts/{post}/like", body)).status_code == 204
    assert school.one('SELECT "likesCount" FROM posts WHERE id = %s', post) == 1
    assert school.one('SELECT "reactionType" FROM likes') == "INSIGHTFUL"
    for _ in range(2):
        assert (await school.call("bopha", "DELETE", f"/posts/{post}/like")).status_code == 204
    assert school.one('SELECT "likesCount" FROM posts WHERE id = %s', post) == 0


async def test_many_at_once_are_all_counted(school: School) -> None:
    post = await school.post("dara")
    school.db.execute(
        """INSERT INTO users (id, "schoolId", password, "firstName", "lastName", role, "updatedAt")
           SELECT 'u' || i, 'north', '!', 'a', 'b', 'STUDENT', now() FROM generate_series(1, 20) i"""
    )
    answers = await asyncio.gather(
        *(school.call(f"u{i}", "PUT", f"/posts/{post}/like") for i in range(1, 21))
    )
    assert {answer.status_code for answer in answers} == {204}
    assert school.one('SELECT "likesCount" FROM posts WHERE id = %s', post) == 20


async def test_comments_and_answers(school: School) -> None:
    post = await school.post("dara")
    first = await school.call("bopha", "POST", f"/posts/{post}/comments", {"content": "ល្អណាស់!"})
    assert first.status_code == 201
    parent = first.json()["data"]["id"]
    answer = await school.call(
        "dara", "POST", f"/posts/{post}/comments", {"content": "អរគុណ", "parentId": parent}
    )
    assert answer.status_code == 201
    too_deep = {"content": "x", "parentId": answer.json()["data"]["id"]}
    assert (await school.call("dara", "POST", f"/posts/{post}/comments", too_deep)).status_code == 422
    elsewhere = await school.post("dara")
    astray = {"content": "x", "parentId": parent}
    assert (await school.call("dara", "POST", f"/posts/{elsewhere}/comments", astray)).status_code == 422
    assert school.one('SELECT "commentsCount" FROM posts WHERE id = %s', post) == 2


async def test_bookmarks(school: School) -> None:
    post = await school.post("dara")
    for _ in range(2):
        assert (await school.call("bopha", "PUT", f"/posts/{post}/bookmark")).status_code == 204
    assert school.one("SELECT count(*) FROM bookmarks") == 1
    for _ in range(2):
        assert (await school.call("bopha", "DELETE", f"/posts/{post}/bookmark")).status_code == 204
    assert school.one("SELECT count(*) FROM bookmarks") == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "like", None),
        ("DELETE", "like", None),
        ("POST", "comments", {"content": "x"}),
        ("PUT", "bookmark", None),
        ("DELETE", "bookmark", None),
        ("POST", "views", {}),
    ],
)
async def test_what_one_may_not_see_is_not_there(
    school: School, method: str, path: str, body: object
) -> None:
    hidden = await school.post("dara", visibility="SCHOOL")
    private = await school.post("dara", visibility="PRIVATE")
    of_class = await school.post("sophea", visibility="CLASS")
    assert (await school.call("vibol", method, f"/posts/{hidden}/{path}", body)).status_code == 404
    assert (await school.call("bopha", method, f"/posts/{private}/{path}", body)).status_code == 404
    assert (await school.call("bopha", method, f"/posts/{of_class}/{path}", body)).status_code == 404
    assert (await school.call("dara", method, f"/posts/{of_class}/{path}", body)).status_code in {201, 204}


async def test_a_block_hides_and_one_can_still_take_back_a_like(school: School) -> None:
    post = await school.post("dara", visibility="PUBLIC")
    await school.call("vibol", "PUT", f"/posts/{post}/like")
    assert (await school.call("dara", "PUT", "/users/vibol/block")).status_code == 204
    assert (await school.call("vibol", "PUT", f"/posts/{post}/like")).status_code == 404
    assert (await school.call("vibol", "DELETE", f"/posts/{post}/like")).status_code == 204
    assert (await school.call("vibol", "DELETE", f"/posts/{post}/like")).status_code == 404
    assert school.one('SELECT "likesCount" FROM posts WHERE id = %s', post) == 0


async def test_one_view_per_hour_however_many_are_sent_at_once(school: School) -> None:
    post = await school.post("dara")
    answers = await asyncio.gather(
        *(school.call("bopha", "POST", f"/posts/{post}/views", {"duration": 10}) for _ in range(8))
    )
    assert sum(answer.json()["data"]["counted"] for answer in answers) == 1
    assert school.one("SELECT count(*) FROM post_views") == 1
    assert school.one("SELECT duration FROM post_views") == 80
    assert school.one('SELECT "viewsCount" FROM posts WHERE id = %s', post) == 1


async def test_views_of_many_at_once_are_all_counted(school: School) -> None:
    post = await school.post("dara", visibility="PUBLIC")
    school.db.execute(
        """INSERT INTO users (id, password, "firstName", "lastName", role, "updatedAt")
           SELECT 'u' || i, '!', 'a', 'b', 'STUDENT', now() FROM generate_series(1, 20) i"""
    )
    await asyncio.gather(*(school.call(f"u{i}", "POST", f"/posts/{post}/views") for i in range(1, 21)))
    assert school.one('SELECT "viewsCount" FROM posts WHERE id = %s', post) == 20


async def test_a_view_that_upstream_wrote_this_hour_counts(school: School) -> None:
    post = await school.post("dara")
    school.db.execute(
        """INSERT INTO post_views (id, "postId", "userId", "viewedAt")
           VALUES ('theirs', %s, 'bopha', timezone('UTC', now()))""",
        (post,),
    )
    answer = await school.call(
        "bopha", "POST", f"/posts/{post}/views", {"duration": 7, "source": "post_detail"}
    )
    assert answer.json()["data"] == {"counted": False}
    assert school.one("SELECT duration FROM post_views") == 7


async def test_a_batch_counts_samples_clamps_durations_and_skips_what_is_hidden(school: School) -> None:
    seen, twice = await school.post("dara"), await school.post("dara")
    hidden = await school.post("sophea", visibility="CLASS")
    views = [
        {"postId": seen, "duration": 9_999_999, "source": "feed", "sampleRate": 0.2},
        {"postId": twice, "duration": 3},
        {"postId": twice, "duration": 4, "source": "share"},
        {"postId": hidden, "duration": 3},
        {"postId": "nowhere", "duration": -5},
    ]
    answer = await school.call("bopha", "POST", "/views/batch", {"views": views})
    assert answer.status_code == 201
    assert answer.json()["data"] == {"accepted": 2, "counted": 2}
    assert school.one('SELECT "viewsCount" FROM posts WHERE id = %s', seen) == 5
    assert school.one('SELECT duration FROM post_views WHERE "postId" = %s', seen) == 3_600
    assert school.one('SELECT duration FROM post_views WHERE "postId" = %s', twice) == 7
    again = await school.call("bopha", "POST", "/views/batch", {"views": views})
    assert again.json()["data"] == {"accepted": 2, "counted": 0}


async def test_batches_over_the_same_posts_do_not_deadlock(school: School) -> None:
    posts = [await school.post("dara", visibility="PUBLIC") for _ in range(10)]
    batches = [[{"postId": post} for post in order] for order in (posts, posts[::-1])]
    answers = await asyncio.gather(
        *(
            school.call(who, "POST", "/views/batch", {"views": batch})
            for who in ("bopha", "vibol", "sophea")
            for batch in batches
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert school.one("SELECT count(*) FROM post_views") == 30


async def test_sizes_of_a_batch(school: School) -> None:
    too_many = {"views": [{"postId": f"p{i}"} for i in range(51)]}
    assert (await school.call("bopha", "POST", "/views/batch", too_many)).status_code == 422
    assert (await school.call("bopha", "POST", "/views/batch", {"views": []})).status_code == 422
