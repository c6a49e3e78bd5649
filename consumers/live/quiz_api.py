"""HTTP of live quizzes: HTTP in, one transaction, HTTP out. What may happen is `games.py`.

Clients poll: `lobby` until the game begins, `current` while it runs, `leaderboard` between questions. Each answer
carries PostgreSQL's time, so that a client's countdown needs no clock of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from consumers.engine.cards import timestamp
from consumers.live import games
from consumers.live.boards import Boards
from consumers.live.games import Game, Rules
from consumers.live.schema import client_of
from runtime.access import load_scope
from runtime.auth import CurrentViewer
from runtime.errors import Retryable
from runtime.http import Problem, Text
from runtime.postgres import TRANSIENT, Connection

router = APIRouter(prefix="/live", tags=["live quiz"])

Code = Annotated[str, Path(pattern=r"^[1-9][0-9]{5}$")]
Word = Annotated[Text, Field(max_length=2000)]
Answer = bool | int | float | Word | list[Word | list[Word]] | dict[Word, Word]


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Settings(_Body):
    """How a game is played."""

    question_time: Annotated[int, Field(ge=5, le=600)] = 30
    points_per_question: Annotated[int, Field(ge=1, le=100_000)] = 1000
    speed_bonus_multiplier: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.5


class NewGame(_Body):
    """Body of POST /live/create."""

    quiz_id: Annotated[Text, Field(min_length=1, max_length=200)]
    settings: Settings = Settings()


class Submission(_Body):
    """Body of POST /live/{code}/submit; `questionIndex` guards against answering another question."""

    answer: Annotated[Answer, Field(union_mode="left_to_right")]
    question_index: Annotated[int, Field(ge=0, le=10_000)] | None = None


class Step(_Body):
    """Body of POST /live/{code}/next; with `questionIndex`, a repeated request does not skip a question."""

    question_index: Annotated[int, Field(ge=0, le=10_000)] | None = None


@router.post("/create", status_code=201)
async def create(request: Request, viewer: CurrentViewer, body: NewGame) -> dict[str, Any]:
    """Open a lobby for a quiz that the viewer may see."""
    wanted = body.settings
    rules = Rules(wanted.question_time, wanted.points_per_question, wanted.speed_bonus_multiplier)
    async with _transaction(request) as conn:
        game = await games.create(conn, await load_scope(conn, viewer), body.quiz_id, rules)
    return {"data": _state(game) | {"sessionId": game.id}}


@router.post("/{code}/join")
async def join(request: Request, viewer: CurrentViewer, code: Code) -> dict[str, Any]:
    """Enter a lobby, or come back to a game."""
    async with _transaction(request) as conn:
        game = await games.join(conn, await load_scope(conn, viewer), code)
        return {"data": _state(game) | {"participants": await games.players(conn, code)}}


@router.get("/{code}/lobby")
async def lobby(request: Request, viewer: CurrentViewer, code: Code) -> dict[str, Any]:
    """Who is there."""
    async with _transaction(request) as conn:
        game = await games.read_as_member(conn, viewer, code)
        return {"data": _state(game) | {"participants": await games.players(conn, code)}}


@router.post("/{code}/start")
async def start(request: Request, viewer: CurrentViewer, code: Code) -> dict[str, Any]:
    """Open the first question."""
    async with _transaction(request) as conn:
        return {"data": _state(await games.start(conn, viewer, code))}


@router.get("/{code}/current")
async def current(request: Request, viewer: CurrentViewer, code: Code) -> dict[str, Any]:
    """The current question; its right answer once it is closed."""
    async with _transaction(request) as conn:
        game = await games.read_as_member(conn, viewer, code)
        mine = await games.my_answer(conn, viewer, game)
    return {"data": _state(game) | _question(game, mine)}


@router.post("/{code}/submit", status_code=201)
async def submit(request: Request, viewer: CurrentViewer, code: Code, body: Submission) -> dict[str, Any]:
    """Answer the open question, once. Whether it was right is told when the question has closed."""
    async with _transaction(request) as conn:
        index, seconds = await games.submit(conn, viewer, code, body.question_index, body.answer)
    async with _transaction(request) as conn:  # its own: closing waits for answers that are going in
        await games.close(conn, code)
    return {"data": {"accepted": True, "questionIndex": index, "timeSpent": round(seconds, 3)}}


@router.post("/{code}/next")
async def advance(
    request: Request, viewer: CurrentViewer, code: Code, body: Step | None = None
) -> dict[str, Any]:
    """Close the question and open the next one, or end the game."""
    async with _transaction(request) as conn:
        return {
            "data": _state(await games.advance(conn, viewer, code, body.question_index if body else None))
        }


@router.get("/{code}/leaderboard")
async def leaderboard(
    request: Request, response: Response, viewer: CurrentViewer, code: Code
) -> dict[str, Any]:
    """The table over the questions that are closed."""
    async with _transaction(request) as conn:
        game = await games.read_as_member(conn, viewer, code)
        lines = await _board(request, response, conn, game)
    mine = next((line for line in lines if line["userId"] == viewer.id), None)
    return {"data": lines, "nextCursor": None, "meta": _state(game) | {"me": mine}}


@router.get("/{code}/results")
async def results(request: Request, response: Response, viewer: CurrentViewer, code: Code) -> dict[str, Any]:
    """The final table, with the questions and their answers."""
    async with _transaction(request) as conn:
        game = await games.read_as_member(conn, viewer, code)
        if game.status != "completed":
            raise Problem(409, detail="The game is not over.")
        lines = await _board(request, response, conn, game)
    asked = len(game.questions)
    ranked = [line | {"accuracy": round(100 * line["correct"] / asked)} for line in lines]
    average = round(sum(line["accuracy"] for line in ranked) / len(ranked)) if ranked else None
    told = {"participants": ranked, "averageAccuracy": average, "questions": game.questions}
    return {"data": _state(game) | told}


def boards(request: Request) -> Boards:
    """The boards of this process, made at their first use."""
    state = request.app.state
    if not hasattr(state, "boards"):
        client, breakers = client_of(state), getattr(state, "breakers", None)
        state.boards = Boards(client, state.settings.stream_prefix, breakers)
    made: Boards = state.boards
    return made


async def _board(request: Request, response: Response, conn: Connection, game: Game) -> list[dict[str, Any]]:
    lines, source = await boards(request).of(conn, game)
    response.headers["Stunity-Source"] = source
    response.headers["Stunity-Lag-Ms"] = "0"
    return lines


@asynccontextmanager
async def _transaction(request: Request) -> AsyncIterator[Connection]:
    try:
        async with request.app.state.pool.connection() as conn, conn.transaction():
            yield conn
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error


def _state(game: Game) -> dict[str, Any]:
    return {
        "sessionCode": game.code,
        "quizId": game.quiz_id,
        "quizTitle": game.title,
        "hostId": game.host_id,
        "status": game.status,
        "questionCount": len(game.questions),
        "questionIndex": game.question_index,
        "closedQuestions": game.closed,
        "settings": {
            "questionTime": game.rules.question_seconds,
            "pointsPerQuestion": game.rules.points,
            "speedBonusMultiplier": game.rules.speed_bonus,
        },
        "startedAt": _time(game.started_at),
        "completedAt": _time(game.completed_at),
        "now": _time(game.now),
    }


def _question(game: Game, mine: dict[str, Any] | None) -> dict[str, Any]:
    if game.question_index < 0:
        return {"question": None}
    question = game.questions[game.question_index]
    closed = game.closed > game.question_index
    told: dict[str, Any] = {
        "question": {name: question.get(name) for name in ("id", "text", "type", "options")},
        "deadline": _time(game.deadline),
        "closed": closed,
        "answered": mine is not None,
    }
    if closed:
        told["correctAnswer"] = question.get("correctAnswer")
        told["explanation"] = question.get("explanation")
        told["result"] = mine
    return told


def _time(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None
