"""What is asked of search while posts are written, and what is told of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import orjson

from app.bench import steady
from app.bench.search.truth import sentences, words
from app.bench.stage import Stage
from app.bench.steady import Person, Question
from runtime.postgres import Connection

_PEOPLE: Final = 100
_WORDS: Final = words()


async def ask(
    stage: Stage, conn: Connection, url: str, *, rate: float, seconds: float, writes: float
) -> dict[str, Any]:
    """Ask `rate` questions a second while `writes` posts a second are written."""
    askers = await steady.people(stage, conn, _PEOPLE)
    questions = [_question(number, askers) for number in range(int(rate * seconds))]
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(
            steady.write(stage, askers, sentences(), rate=writes, seconds=seconds if writes else 0)
        )
        answers = await steady.ask(url, questions, rate=rate)
    return {
        **steady.figures(answers),
        "empty": sum(not orjson.loads(answer.body)["data"] for answer in answers if answer is not None),
        "posts_written": writing.result(),
    }


def _question(number: int, askers: Sequence[Person]) -> Question:
    rng = Random(number)  # noqa: S311 - reproducible on purpose
    return Question("/posts", rng.choice(askers), {"search": rng.choice(_WORDS)})
