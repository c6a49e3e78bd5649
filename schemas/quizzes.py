"""Quizzes: attempts (captured) and live games (written by the live view). Answers are in no event."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Fact, Payload, Time


class _Attempt(Fact):
    quiz_id: str
    user_id: str
    post_id: str | None = None
    school_id: str | None = None
    score: int | None = None
    points_earned: int | None = None
    passed: bool | None = None


class QuizAttempted(_Attempt):
    """Somebody finished a quiz; `score` is a percentage."""

    event_type: ClassVar[str] = "quiz.attempted.v1"


class QuizAttemptDeleted(_Attempt):
    """An attempt is gone."""

    event_type: ClassVar[str] = "quiz.attempt_deleted.v1"


class _Live(Payload):
    session_code: str
    quiz_id: str
    at: Time | None = None


class LiveQuizCreated(_Live):
    """A host opened a lobby."""

    event_type: ClassVar[str] = "live_quiz.created.v1"

    host_id: str
    question_count: int | None = None


class LiveQuizJoined(_Live):
    """Somebody entered the lobby."""

    event_type: ClassVar[str] = "live_quiz.joined.v1"

    user_id: str


class LiveQuizStarted(_Live):
    """The host started the game."""

    event_type: ClassVar[str] = "live_quiz.started.v1"

    participants: int | None = None


class LiveQuizAnswered(_Live):
    """A participant's answer was graded; which answer it was is not told."""

    event_type: ClassVar[str] = "live_quiz.answered.v1"

    user_id: str
    question_index: int
    correct: bool
    points: int


class LiveQuizAdvanced(_Live):
    """The host moved on to another question."""

    event_type: ClassVar[str] = "live_quiz.advanced.v1"

    question_index: int


class LiveQuizRanking(Payload):
    """One line of the final table."""

    user_id: str
    score: int
    rank: int


class LiveQuizCompleted(_Live):
    """The game is over."""

    event_type: ClassVar[str] = "live_quiz.completed.v1"

    ranking: tuple[LiveQuizRanking, ...] = ()


PAYLOADS = (
    QuizAttempted,
    QuizAttemptDeleted,
    LiveQuizCreated,
    LiveQuizJoined,
    LiveQuizStarted,
    LiveQuizAnswered,
    LiveQuizAdvanced,
    LiveQuizCompleted,
)
