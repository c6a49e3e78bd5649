"""The quiz that belongs to a post of type QUIZ: questions as one JSON array, one row per quiz.

Attempts and live sessions are not written here: upstream's apps write attempts, and live play is a consumer's view.
"""

from __future__ import annotations

from typing import Final

from psycopg.types.json import Jsonb

from producers.bodies import NewQuiz
from producers.ids import new_id
from producers.rows import statements
from runtime.postgres import Connection

_SQL: Final = statements("posts")


async def create(conn: Connection, post_id: str, quiz: NewQuiz) -> str:
    """Attach a quiz to a post that was written in the same transaction; returns its id."""
    quiz_id = new_id()
    questions = [{"id": new_id(), **question.model_dump(by_alias=True)} for question in quiz.questions]
    await conn.execute(
        _SQL["create_quiz"],
        {
            **quiz.model_dump(exclude={"questions"}),
            "id": quiz_id,
            "post": post_id,
            "questions": Jsonb(questions),
            "total": sum(question.points for question in quiz.questions),
        },
    )
    return quiz_id
