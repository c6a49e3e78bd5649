"""A class plays a quiz: one answer each, in time, the right one told only afterwards, nothing lost with Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from redis.exceptions import RedisError

from runtime.redis import Client
from tests.integration.live.conftest import signed_in

QUESTIONS = [
    {
        "id": "q1", "text": "2+2", "type": "MULTIPLE_CHOICE", "options": ["3", "four"], "correctAnswer": 1,
        "explanation": "e",
    },
    {"id": "q2", "text": "sky?", "type": "SHORT_ANSWER", "correctAnswer": "blue"},
]  # fmt: skip
SECRET_WORDS = ("correctAnswer", "explanation", "blue")


@pytest.fixture
def quiz(people: psycopg.Connection[Any]) -> str:
    """A quiz of the first school, by bo."""
    people.execute(
        'INSERT INTO posts (id, "authorId", "schoolId", content, title, "postType", visibility, "updatedAt")'
        " VALUES ('p', 'bo', 's1', 'c', 'Sums', 'QUIZ', 'SCHOOL', now())"
    )
    people.execute(
        'INSERT INTO quizzes (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "updatedAt")'
        " VALUES ('quiz', 'p', %s, 60, 50, 20, now())",
        (Jsonb(QUESTIONS),),
    )
    return "quiz"


class Table:
    """People around one game."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self.api = api
        self.code = ""

    async def create(self, host: str = "ada", **settings: Any) -> str:
        body = {"quizId": "quiz", "settings": settings}
        created = await self.api.post("/live/create", headers=signed_in(host), json=body)
        assert created.status_code == 201, created.text
        self.code = created.json()["data"]["sessionCode"]
        return self.code

    async def do(self, user: str, what: str, body: Any = None, *, status: int | None = None) -> Any:
        response = await self.api.post(f"/live/{self.code}/{what}", headers=signed_in(user), json=body)
        expected = status or (201 if what == "submit" else 200)
        assert response.status_code == expected, (what, response.text)
        return response.json().get("data")

    async def see(self, user: str, what: str, *, status: int = 200) -> Any:
        response = await self.api.get(f"/live/{self.code}/{what}", headers=signed_in(user))
        assert response.status_code == status, (what, response.text)
        return response.json().get("data")


@pytest.fixture
def table(api: httpx.AsyncClient, quiz: str) -> Table:
    return Table(api)


def late(people: psycopg.Connection[Any]) -> None:
    """The time of the open question is over."""
    people.execute("UPDATE live.games SET question_started_at = question_started_at - interval '31 s'")


async def test_a_game_from_lobby_to_results(
    table: Table, people: psycopg.Connection[Any], client: Client | None
) -> None:
    await table.create("ada")
    await table.do("bo", "join")
    lobby = await table.do("cy", "join")
    assert [one["userId"] for one in lobby["participants"]] == ["bo", "cy"]
    assert (await table.see("cy", "current"))["question"] is None
    started = await table.do("ada", "start")
    assert (started["status"], started["questionIndex"]) == ("active", 0)

    seen = str(await table.see("cy", "current"))
    assert not any(word in seen for word in SECRET_WORDS)
    told = await table.do("bo", "submit", {"answer": "four", "questionIndex": 0})
    assert set(told) == {"accepted", "questionIndex", "timeSpent"}
    assert [line["score"] for line in await table.see("cy", "leaderboard")] == [0, 0]  # still open
    await table.do("bo", "submit", {"answer": 0}, status=409)
    await table.do("cy", "submit", {"answer": 0})

    closed = await table.see("cy", "current")  # everybody has answered
    assert (closed["closed"], closed["correctAnswer"], closed["result"]["correct"]) == (True, 1, False)
    await table.do("cy", "submit", {"answer": 1}, status=409)
    if client is not None:
        with suppress(RedisError):
            await client.flushall()
    first = await table.see("ada", "leaderboard")
    assert [(line["rank"], line["userId"], line["correct"]) for line in first] == [(1, "bo", 1), (2, "cy", 0)]
    assert 1400 < first[0]["score"] <= 1500
    assert await table.see("ada", "leaderboard") == first

    await table.do("ada", "next", {"questionIndex": 0})
    again = await table.do("ada", "next", {"questionIndex": 0})  # a second click
    assert again["questionIndex"] == 1
    await table.see("bo", "results", status=409)
    late(people)
    await table.do("cy", "submit", {"answer": "blue"}, status=409)
    assert (await table.see("bo", "current"))["correctAnswer"] == "blue"
    over = await table.do("ada", "next", {"questionIndex": 1})
    assert over["status"] == "completed"
    results = await table.see("cy", "results")
    assert [(one["userId"], one["accuracy"]) for one in results["participants"]] == [("bo", 50), ("cy", 0)]
    assert results["questions"] == QUESTIONS
    await table.do("bo", "submit", {"answer": "blue"}, status=409)

    kinds = "SELECT type, data FROM outbox.events WHERE type LIKE 'live_quiz.%' ORDER BY id"
    events = people.execute(kinds).fetchall()
    happened = [kind.split(".")[1] for kind, _ in events]
    assert happened == [
        "created",
        "joined",
        "joined",
        "started",
        "answered",
        "answered",
        "advanced",
        "completed",
    ]
    assert [line["rank"] for line in events[-1][1]["ranking"]] == [1, 2]
    assert "blue" not in str(events)


@pytest.mark.parametrize("client", ["redis"], indirect=True)
async def test_who_may_do_what(table: Table, people: psycopg.Connection[Any]) -> None:
    assert (
        await table.api.post("/live/create", headers=signed_in("zoe"), json={"quizId": "quiz"})
    ).status_code == 404
    await table.create("ada")
    await table.do("zoe", "join", status=404)  # the quiz is not for her school
    for what in ("lobby", "current", "leaderboard", "results"):
        await table.see("cy", what, status=403)
    await table.do("bo", "join")
    for what in ("start", "next"):
        await table.do("bo", what, status=403)
    await table.do("ada", "next", status=409)
    await table.do("ada", "submit", {"answer": 1}, status=403)  # the host leads, others play
    await table.do("bo", "submit", {"answer": 1}, status=409)
    await table.do("ada", "start")
    await table.do("ada", "start")
    await table.do("cy", "join", status=409)
    await table.do("bo", "join")
    await table.do("bo", "submit", {"answer": 1, "questionIndex": 1}, status=409)
    for body in ({}, {"answer": None}, {"answer": "\0"}, {"answer": "x" * 3000}, {"answer": 1, "more": 1}):
        await table.do("bo", "submit", body, status=422)
    table.code = "999999" if table.code != "999999" else "999998"
    await table.do("bo", "join", status=404)
    table.code = "abc"
    await table.see("bo", "lobby", status=422)
    people.execute("UPDATE live.games SET expires_at = now()")
    await table.create("bo")
    assert people.execute("SELECT count(*) FROM live.games").fetchone() == (1,)


@pytest.mark.parametrize("client", ["redis"], indirect=True)
async def test_many_answers_at_once_count_once_each(table: Table, people: psycopg.Connection[Any]) -> None:
    players = [f"k{number}" for number in range(12)]
    for player in players:
        people.execute(
            'INSERT INTO users (id, "schoolId", password, "firstName", "lastName", "updatedAt")'
            " VALUES (%s, 's1', 'x', 'K', 'T', now())",
            (player,),
        )
    await table.create("ada")
    for player in players:
        await table.do(player, "join")
    await table.do("ada", "start")

    async def answer(player: str, guess: int) -> int:
        path = f"/live/{table.code}/submit"
        response = await table.api.post(path, headers=signed_in(player), json={"answer": guess})
        return response.status_code

    answers = await asyncio.gather(*(answer(player, guess) for player in players for guess in (0, 1)))
    assert sorted(answers) == [201] * 12 + [409] * 12
    lines = await table.see("ada", "leaderboard")
    assert sum(line["answered"] for line in lines) == 12
    assert (await table.see("ada", "current"))["closed"] is True


@pytest.mark.parametrize("client", ["redis"], indirect=True)
async def test_equal_points_and_times_share_a_rank(table: Table, people: psycopg.Connection[Any]) -> None:
    await table.create("ada")
    for player in ("ada", "bo", "cy"):
        await table.do(player, "join")
    await table.do("ada", "start")
    await table.do("ada", "next")
    people.execute(
        "INSERT INTO live.answers (code, question_index, user_id, answer, correct, points, seconds)"
        " SELECT %s, 0, u, '1', true, 1200, s FROM (VALUES ('ada', 4), ('bo', 2), ('cy', 4)) AS t (u, s)",
        (table.code,),
    )
    lines = await table.see("bo", "leaderboard")
    assert [(line["rank"], line["userId"]) for line in lines] == [(1, "bo"), (2, "ada"), (2, "cy")]
