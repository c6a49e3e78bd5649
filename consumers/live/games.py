"""Live quizzes: what may happen in a game, as functions on the caller's transaction. PostgreSQL holds the game.

Time is PostgreSQL's, so that a deadline is the same for every API machine. An answer holds the game's row while it
goes in, and closing a question takes the row for itself: an answer is in before the close, or refused. The right
answer, and whether an answer was right, are told only after that. Tables of closed questions never change again, so
`boards.py` may keep them in Redis; HTTP is `quiz_api.py`, grading `grading.py`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from psycopg.types.json import Jsonb

from consumers.live.grading import is_correct, points
from runtime.access import POST_VISIBLE, Scope, Viewer
from runtime.http import Problem
from runtime.postgres import Connection, fetch_dicts
from runtime.statements import load

_SQL: Final = {
    name: text.replace("{POST_VISIBLE}", POST_VISIBLE)
    for name, text in load(Path(__file__).parent / "sql" / "games.sql").items()
}

MOST_PLAYERS: Final = 1000
_CODE_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Rules:
    """How a game is played."""

    question_seconds: int = 30
    points: int = 1000
    speed_bonus: float = 0.5


@dataclass(frozen=True, slots=True)
class Game:
    """A game at one moment, and how the viewer stands to it."""

    code: str
    id: str
    quiz_id: str
    host_id: str
    title: str
    status: str
    questions: list[dict[str, Any]]
    rules: Rules
    question_index: int
    question_started_at: datetime | None
    deadline: datetime | None
    closed: int
    started_at: datetime | None
    completed_at: datetime | None
    now: datetime
    is_host: bool
    joined: bool

    @property
    def is_open(self) -> bool:
        """Whether the current question takes answers."""
        in_time = self.deadline is not None and self.now <= self.deadline
        return self.status == "active" and self.closed == self.question_index and in_time

    @property
    def is_due(self) -> bool:
        """Whether the current question should be closed: its time is over."""
        return self.status == "active" and self.closed == self.question_index and not self.is_open


async def create(conn: Connection, scope: Scope, quiz_id: str, rules: Rules) -> Game:
    """A lobby for a quiz that the viewer may see; they become its host.

    Raises:
        Problem: 404 without such a quiz, 409 when it has no questions.
    """
    quiz = await _quiz(conn, scope, quiz_id)
    questions = quiz["questions"] if isinstance(quiz["questions"], list) else []
    if not questions:
        raise Problem(409, detail="This quiz has no questions.")
    await conn.execute(_SQL["sweep"])
    for _ in range(_CODE_ATTEMPTS):
        code = str(100_000 + secrets.randbelow(900_000))
        row = {
            "code": code,
            "id": f"live_{secrets.token_hex(12)}",
            "quiz": quiz_id,
            "host": scope.viewer.id,
            "title": quiz["title"],
            "questions": Jsonb(questions),
            "seconds": rules.question_seconds,
            "points": rules.points,
            "bonus": rules.speed_bonus,
        }
        if (await conn.execute(_SQL["create"], row)).rowcount:
            game = await read(conn, scope.viewer, code)
            await _emit(conn, game, "created", hostId=game.host_id, questionCount=len(questions))
            return game
    raise Problem(503, detail="No free code was found; try again.")


async def read(conn: Connection, viewer: Viewer, code: str) -> Game:
    """A game as it stands.

    Raises:
        Problem: 404 without such a game.
    """
    rows = await fetch_dicts(conn, _SQL["read"], {"code": code, "viewer": viewer.id})
    if not rows:
        raise Problem(404, detail="There is no such game.")
    row = rows[0]
    rules = Rules(row.pop("question_seconds"), row.pop("points"), row.pop("speed_bonus"))
    unused = ("created_at", "expires_at")
    fields = {name: value for name, value in row.items() if name not in unused}
    return Game(**fields, rules=rules, is_host=row["host_id"] == viewer.id)


async def read_as_member(conn: Connection, viewer: Viewer, code: str) -> Game:
    """A game for its host and its players, with the question closed when its time is over.

    Raises:
        Problem: 404 without such a game, 403 for anybody else.
    """
    game = await read(conn, viewer, code)
    if not (game.is_host or game.joined):
        raise Problem(403, detail="Join the game first.")
    return await read(conn, viewer, code) if game.is_due and await close(conn, code) else game


async def join(conn: Connection, scope: Scope, code: str) -> Game:
    """Enter the lobby, or come back to a game that one has joined.

    Raises:
        Problem: 404 without such a game or for who may not see its quiz, 409 when it has begun or is full.
    """
    await conn.execute(_SQL["lock"], {"code": code})
    game = await read(conn, scope.viewer, code)
    if game.joined:
        return game
    await _quiz(conn, scope, game.quiz_id)
    if game.status != "lobby":
        raise Problem(409, detail="The game has begun.")
    if (await _count_players(conn, code)) >= MOST_PLAYERS:
        raise Problem(409, detail="The game is full.")
    await conn.execute(_SQL["join"], {"code": code, "viewer": scope.viewer.id})
    await _emit(conn, game, "joined", userId=scope.viewer.id)
    return await read(conn, scope.viewer, code)


async def players(conn: Connection, code: str) -> list[dict[str, Any]]:
    """Who has joined."""
    return await fetch_dicts(conn, _SQL["players"], {"code": code})


async def start(conn: Connection, viewer: Viewer, code: str) -> Game:
    """Open the first question. Starting a game that runs changes nothing.

    Raises:
        Problem: 404 without such a game, 403 unless the viewer is its host, 409 when it is over.
    """
    game = await _hosted(conn, viewer, code)
    if game.status == "completed":
        raise Problem(409, detail="The game is over.")
    if (await conn.execute(_SQL["start"], {"code": code})).rowcount:
        await _emit(conn, game, "started", participants=await _count_players(conn, code))
    return await read(conn, viewer, code)


async def submit(
    conn: Connection, viewer: Viewer, code: str, index: int | None, answer: Any
) -> tuple[int, float]:
    """Take a player's one answer to the open question; returns the question and the seconds it took.

    Raises:
        Problem: 404 without such a game, 403 unless the viewer plays, 409 when the question is closed or answered.
    """
    await conn.execute(_SQL["hold"], {"code": code})
    game = await read(conn, viewer, code)
    if not game.joined:
        raise Problem(403, detail="Only players answer.")
    if not game.is_open or index not in (None, game.question_index):
        raise Problem(409, detail="This question is not open.")
    assert game.question_started_at is not None  # an open question has begun
    seconds = (game.now - game.question_started_at).total_seconds()
    correct = is_correct(game.questions[game.question_index], answer)
    rules = game.rules
    earned = points(rules.points, rules.speed_bonus, seconds, rules.question_seconds) if correct else 0
    row = {"code": code, "index": game.question_index, "viewer": viewer.id, "answer": Jsonb(answer)}
    row |= {"correct": correct, "points": earned, "seconds": seconds}
    if not (await conn.execute(_SQL["answer"], row)).rowcount:
        raise Problem(409, detail="This question has been answered.")
    told = {"userId": viewer.id, "questionIndex": game.question_index, "correct": correct, "points": earned}
    await _emit(conn, game, "answered", **told)
    return game.question_index, seconds


async def close(conn: Connection, code: str) -> bool:
    """Close the question when it is due, or when everybody has answered; whether it was closed just now."""
    await conn.execute(_SQL["lock"], {"code": code})
    closed = await conn.execute(_SQL["close"], {"code": code, "by_host": False})
    return closed.rowcount > 0


async def advance(conn: Connection, viewer: Viewer, code: str, index: int | None) -> Game:
    """Close question `index`, if that is the current one, and open the next, or end the game after the last.

    A second click on the same question changes nothing; without an index it would skip one.

    Raises:
        Problem: 404 without such a game, 403 unless the viewer is its host, 409 when it does not run.
    """
    game = await _hosted(conn, viewer, code)
    if index is not None and index < game.question_index:
        return game
    if game.status != "active" or index not in (None, game.question_index):
        raise Problem(409, detail="The game is not at this question.")
    await conn.execute(_SQL["close"], {"code": code, "by_host": True})
    if game.question_index + 1 < len(game.questions):
        await conn.execute(_SQL["advance"], {"code": code})
        await _emit(conn, game, "advanced", questionIndex=game.question_index + 1)
        return await read(conn, viewer, code)
    await conn.execute(_SQL["complete"], {"code": code})
    ranking = await board(conn, code, len(game.questions))
    lines = [{name: line[name] for name in ("userId", "score", "rank")} for line in ranking]
    await _emit(conn, game, "completed", ranking=lines)
    return await read(conn, viewer, code)


async def board(conn: Connection, code: str, closed: int) -> list[dict[str, Any]]:
    """The table over the first `closed` questions."""
    return await fetch_dicts(conn, _SQL["board"], {"code": code, "closed": closed})


async def my_answer(conn: Connection, viewer: Viewer, game: Game) -> dict[str, Any] | None:
    """What the viewer has answered to the current question."""
    params = {"code": game.code, "index": game.question_index, "viewer": viewer.id}
    rows = await fetch_dicts(conn, _SQL["my_answer"], params)
    return rows[0] if rows else None


async def _quiz(conn: Connection, scope: Scope, quiz_id: str) -> dict[str, Any]:
    rows = await fetch_dicts(conn, _SQL["quiz"], {**scope.params(), "quiz": quiz_id})
    if not rows:
        raise Problem(404, detail="There is no such quiz.")
    return rows[0]


async def _hosted(conn: Connection, viewer: Viewer, code: str) -> Game:
    await conn.execute(_SQL["lock"], {"code": code})
    game = await read(conn, viewer, code)
    if not game.is_host:
        raise Problem(403, detail="Only the host leads the game.")
    return game


async def _count_players(conn: Connection, code: str) -> int:
    row = await (await conn.execute(_SQL["count_players"], {"code": code})).fetchone()
    assert row is not None  # count always gives one row
    return int(row[0])


async def _emit(conn: Connection, game: Game, what: str, **data: Any) -> None:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = Jsonb({"sessionCode": game.code, "quizId": game.quiz_id, "at": at, **data})
    await conn.execute("SELECT outbox.emit('quiz', %s, %s, %s)", (f"live_quiz.{what}", game.quiz_id, told))
