"""Interests from what people do, whom to follow, which courses and quizzes; the same rules with and without vectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.embeddings.conftest import Api, Pipeline
from tests.support.network import Network


def follow(network: Network, follower: str, *others: str) -> None:
    for other in others:
        network.conn.execute(
            'INSERT INTO follows (id, "followerId", "followingId") VALUES (%s, %s, %s)',
            (f"{follower}>{other}", follower, other),
        )


def like(network: Network, user: str, post: str, *, days_ago: int = 0) -> None:
    at = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days_ago)
    network.conn.execute(
        'INSERT INTO likes (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)',
        (f"{user}+{post}", post, user, at),
    )


def quiz(network: Network, author: str, text: str, **columns: Any) -> str:
    post = network.post(author, text, postType="QUIZ", **columns)
    questions = '[{"id": "x", "text": "Which one?", "options": ["a", "b"], "correctAnswer": 1}]'
    network.conn.execute(
        'INSERT INTO quizzes (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "updatedAt")'
        " VALUES (%s, %s, %s, 60, 50, 10, now())",
        (f"quiz-{post}", post, questions),
    )
    return f"quiz-{post}"


def score(conn: psycopg.Connection, user: str, *posts: str) -> dict[str, float]:
    return dict(
        conn.execute("SELECT * FROM embeddings.semantic_scores(%s, %s)", (user, list(posts))).fetchall()
    )


async def test_likes_make_interests_and_the_recent_ones_weigh_more(
    pipeline: Pipeline, network: Network
) -> None:
    football = network.post("teacher", "The football match ended three to two after extra time.")
    chemistry = network.post("teacher", "Acids and bases neutralise each other into salt and water.")
    sports = network.post("master", "Our goalkeeper saved two penalties in the final.")
    science = network.post("master", "Measuring pH with litmus paper in the laboratory.")
    assert score(pipeline.conn, "anna", football) == {}
    like(network, "anna", football, days_ago=120)
    like(network, "anna", chemistry)
    await pipeline.run()
    scores = score(pipeline.conn, "anna", sports, science, "no such post")
    assert set(scores) == {sports, science}
    assert scores[science] > scores[sports]
    assert score(pipeline.conn, "borey", sports, science) == {}
    network.delete("likes", f"anna+{chemistry}")
    await pipeline.run()
    scores = score(pipeline.conn, "anna", sports, science)
    assert scores[sports] > scores[science]


async def test_a_like_that_came_before_the_vector_counts(pipeline: Pipeline, network: Network) -> None:
    post = network.post("teacher", "Magnets attract iron.")
    like(network, "anna", post)
    await pipeline.sync()
    pipeline.conn.execute("UPDATE embeddings.stale_interests SET due_at = now()")
    await pipeline.interests.run()
    assert score(pipeline.conn, "anna", post) == {}
    await pipeline.work()
    assert score(pipeline.conn, "anna", post)[post] == pytest.approx(1, abs=0.01)


async def test_a_profile_speaks_for_people_who_have_done_nothing_yet(
    pipeline: Pipeline, network: Network
) -> None:
    network.change("users", "anna", interests=["Astronomy", "black holes"])
    space = network.post("teacher", "The telescope photographed a distant galaxy.")
    bread = network.post("teacher", "Knead the dough and let it rise for an hour.")
    await pipeline.run()
    scores = score(pipeline.conn, "anna", space, bread)
    assert scores[space] > scores[bread] + 0.1


async def test_mutual_follows_come_first_and_are_the_same_without_vectors(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    for name in ("two", "one"):
        network.user(name, "north")
    follow(network, "anna", "borey", "chan")
    follow(network, "borey", "two", "one", "anna", "chan")
    follow(network, "chan", "two")
    like(network, "anna", network.post("teacher", "Fractions"))
    await pipeline.run()
    for api in (http, bare):
        response = await api.get("anna", "/users/suggestions")
        people = {person["id"]: person for person in response.json()["data"]}
        assert list(people)[:2] == ["two", "one"]
        assert [people["two"]["mutualCount"], people["one"]["mutualCount"]] == [2, 1]
        assert people["two"]["reason"] == "mutual"
        assert people["teacher"]["reason"] in {"interests", "school"}
        assert not {"email", "phone", "password"} & set(people["two"])
        assert {"anna", "borey", "chan"}.isdisjoint(people)


async def test_like_interests_come_before_schoolmates(
    pipeline: Pipeline, network: Network, http: Api
) -> None:
    post = network.post("teacher", "Programming a robot in Python")
    like(network, "anna", post)
    like(network, "borey", post)
    await pipeline.run()
    people = (await http.get("anna", "/users/suggestions")).json()["data"]
    reasons = {person["id"]: person["reason"] for person in people}
    assert reasons["borey"] == "interests"
    assert reasons["chan"] == "school"
    assert list(reasons).index("borey") < list(reasons).index("chan")


async def test_nobody_is_suggested_who_must_not_be(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    network.user("kid", "south", profileVisibility="PUBLIC")
    network.user("secret", "north", profileVisibility="PRIVATE")
    network.user("gone", "north", isActive=False)
    network.user("silent", "north", socialFeaturesEnabled=False)
    network.user("blocked", "north")
    network.user("blocker", "north")
    network.block("anna", "blocked")
    network.block("blocker", "anna")
    follow(network, "anna", "borey", "master")
    unwanted = {"kid", "secret", "gone", "silent", "blocked", "blocker", "sophea"}
    follow(network, "borey", *unwanted)
    follow(network, "master", *unwanted)
    post = network.post("teacher", "Everybody likes kites")
    for user in ("anna", *unwanted):
        like(network, user, post)
    await pipeline.run()
    for api, store in ((http, "pgvector"), (bare, "postgres")):
        people = set(await api.ids("anna", "/users/suggestions", store, limit=50))
        assert people == {"chan", "teacher"}, store


async def test_paths_through_hidden_people_are_not_counted(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    follow(network, "anna", "borey", "teacher")
    follow(network, "borey", "chan")
    follow(network, "teacher", "chan")
    network.block("teacher", "anna")
    like(network, "anna", network.post("chan", "Kites"))
    await pipeline.run()
    for api in (http, bare):
        [chan] = [
            p for p in (await api.get("anna", "/users/suggestions")).json()["data"] if p["id"] == "chan"
        ]
        assert chan["mutualCount"] == 1


async def test_courses_near_to_ones_interests_that_one_does_not_have_yet(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    biology = network.course(
        "teacher", "Cells and tissues", description="Biology of plants.", tags=["Biology"]
    )
    network.course("teacher", "Public speaking", description="Talk without fear.", tags=["Speech"])
    taken = network.course("teacher", "Plants of Cambodia", description="Botany.", tags=["Biology"])
    network.course("teacher", "Leaf anatomy", tags=["Biology"], isPublished=False)
    network.course("anna", "Anna's own botany", tags=["Biology"])
    network.conn.execute(
        'INSERT INTO enrollments (id, "userId", "courseId") VALUES (%s, %s, %s)', ("e1", "anna", taken)
    )
    like(network, "anna", network.post("teacher", "Photosynthesis happens in leaves", topicTags=["Biology"]))
    await pipeline.run()
    for api, store in ((http, "pgvector"), (bare, "postgres")):
        found = await api.ids("anna", "/recommendations/courses", store)
        assert found[0] == biology
        assert len(found) == 2


async def test_quizzes_are_visible_unattempted_and_without_answers(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    wanted = quiz(network, "teacher", "How plants feed: a quiz on leaves", topicTags=["Biology"])
    other = quiz(network, "master", "Capitals of Asia", topicTags=["Geography"])
    done = quiz(network, "teacher", "More on leaves", topicTags=["Biology"])
    quiz(network, "anna", "Anna's quiz on leaves", topicTags=["Biology"])
    quiz(
        network,
        "master",
        "Leaves, for the south only",
        school="south",
        visibility="SCHOOL",
        topicTags=["Biology"],
    )
    network.conn.execute(
        'INSERT INTO quiz_attempts (id, "quizId", "userId", answers, score, "pointsEarned", passed)'
        " VALUES ('t1', %s, 'anna', '{}', 50, 5, true)",
        (done,),
    )
    like(network, "anna", network.post("teacher", "Photosynthesis happens in leaves", topicTags=["Biology"]))
    await pipeline.run()
    for api, store in ((http, "pgvector"), (bare, "postgres")):
        response = await api.get("anna", "/recommendations/quizzes")
        assert response.headers["stunity-source"] == store
        assert [card["id"] for card in response.json()["data"]] == [wanted, other]
        assert response.json()["data"][0]["questionsCount"] == 1
        assert "correctAnswer" not in response.text
        assert "options" not in response.text


@pytest.mark.parametrize(
    "path", ["/users/suggestions", "/recommendations/courses", "/recommendations/quizzes"]
)
async def test_strange_limits_are_refused(http: Api, network: Network, path: str) -> None:
    for limit in ("0", "51", "x"):
        assert (await http.get("anna", path, limit=limit)).status_code == 422
    assert (await http.get("anna", "/posts/%00/similar")).status_code == 422
