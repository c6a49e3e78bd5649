"""Writing, changing and deleting posts over HTTP."""

from __future__ import annotations

import re

import pytest

from tests.integration.producers.conftest import School


async def test_a_post_is_written_as_sent(school: School) -> None:
    answer = await school.call(
        "dara",
        "POST",
        "/posts",
        {
            "title": "លំហាត់",
            "content": "សូមជួយ $x^2$ 🙏 #Math",
            "postType": "QUESTION",
            "topicTags": ["Mathematics", "គណិតវិទ្យា"],
            "mediaUrls": ["https://media.example/1.png"],
        },
    )
    assert answer.status_code == 201
    assert re.fullmatch(r"\d+\.\d+", answer.headers["Stunity-Position"])
    data = answer.json()["data"]
    assert data["schoolId"] == "north"
    assert data["visibility"] == "SCHOOL"
    assert data["createdAt"].endswith("Z")
    row = school.db.execute(
        'SELECT title, content, "postType"::text, "topicTags", "authorId" FROM posts WHERE id = %s',
        (data["id"],),
    ).fetchone()
    assert row == ("លំហាត់", "សូមជួយ $x^2$ 🙏 #Math", "QUESTION", ["Mathematics", "គណិតវិទ្យា"], "dara")


async def test_times_are_utc_whatever_the_session_says(school: School) -> None:
    school.db.execute("SET timezone = 'Asia/Phnom_Penh'")
    post = await school.post("dara")
    late = school.one(
        "SELECT abs(extract(epoch FROM timezone('UTC', now()) - \"createdAt\")) FROM posts WHERE id = %s",
        post,
    )
    assert late < 60


async def test_a_quiz_post_brings_its_quiz(school: School) -> None:
    quiz = {
        "questions": [{"text": "2 + 2?", "options": ["3", "4"], "correctAnswer": "1", "points": 5}],
        "timeLimit": 60,
        "passingScore": 50,
    }
    post = await school.post("sophea", postType="QUIZ", quiz=quiz)
    assert school.one('SELECT "totalPoints" FROM quizzes WHERE "postId" = %s', post) == 5
    refused = await school.call("sophea", "POST", "/posts", {"content": "x", "quiz": quiz})
    assert refused.status_code == 422


async def test_a_patch_changes_what_is_sent_and_nothing_else(school: School) -> None:
    post = await school.post("dara", title="First", topicTags=["Physics"])
    answer = await school.call(
        "dara", "PATCH", f"/posts/{post}", {"content": "changed", "visibility": "PUBLIC"}
    )
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["content"], data["title"], data["topicTags"]) == ("changed", "First", ["Physics"])
    assert data["isEdited"] is True
    assert data["visibility"] == "PUBLIC"


async def test_a_title_may_be_taken_away_but_not_the_content(school: School) -> None:
    post = await school.post("dara", title="First")
    assert (await school.call("dara", "PATCH", f"/posts/{post}", {"title": None})).json()["data"][
        "title"
    ] is None
    assert (await school.call("dara", "PATCH", f"/posts/{post}", {"content": None})).status_code == 422
    assert (await school.call("dara", "PATCH", f"/posts/{post}", {})).status_code == 422


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_only_the_author_changes_and_strangers_do_not_learn_of_it(school: School, method: str) -> None:
    post = await school.post("dara")
    body = {"content": "mine now"} if method == "PATCH" else None
    assert (await school.call("bopha", method, f"/posts/{post}", body)).status_code == 403
    assert (await school.call("vibol", method, f"/posts/{post}", body)).status_code == 404
    assert (await school.call("vibol", method, "/posts/nowhere", body)).status_code == 404
    assert school.one("SELECT content FROM posts WHERE id = %s", post) != "mine now"


async def test_a_deleted_post_takes_everything_with_it(school: School) -> None:
    post = await school.post("dara")
    await school.call("bopha", "PUT", f"/posts/{post}/like")
    answer = await school.call("dara", "DELETE", f"/posts/{post}")
    assert answer.status_code == 204
    assert "Stunity-Position" in answer.headers
    assert school.one("SELECT count(*) FROM likes") == 0
    assert (await school.call("dara", "DELETE", f"/posts/{post}")).status_code == 404


async def test_the_position_is_that_of_the_events(school: School) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await school.call("dara", "POST", "/posts", {"content": "x"}, headers={"traceparent": trace})
    epoch, xid = answer.headers["Stunity-Position"].split(".")
    row = school.db.execute(
        "SELECT xid::text, headers->>'actor', headers->>'traceparent' FROM outbox.events WHERE key = %s",
        (answer.json()["data"]["id"],),
    ).fetchone()
    assert row == (xid, "dara", trace)
    assert int(epoch) == school.one("SELECT outbox.current_epoch()")


async def test_a_traceparent_that_is_none_is_left_out(school: School) -> None:
    answer = await school.call("dara", "POST", "/posts", {"content": "x"}, headers={"traceparent": "'; DROP"})
    post = answer.json()["data"]["id"]
    assert school.one("SELECT headers ? 'traceparent' FROM outbox.events WHERE key = %s", post) is False
