"""Questions to an API at a steady rate, each timed from when it was due: a late one counts as slow, not as fewer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, TypeVar

import aiohttp

from app.bench.percentiles import percentiles
from app.bench.stage import Stage
from runtime.auth import issue
from runtime.postgres import Connection, connect, fetch_rows

T = TypeVar("T")

_TIMEOUT: Final = aiohttp.ClientTimeout(20)
#: Read before anything is timed, so that pools are open and caches are filled.
_WARM_UP: Final = 30

_PEOPLE_SQL: Final = """
SELECT id, role::text, "schoolId" FROM users
 WHERE "isActive" AND "accountSuspendedAt" IS NULL AND role IN ('STUDENT', 'TEACHER') ORDER BY id LIMIT %s
"""
_POST_SQL: Final = """
INSERT INTO posts (id, "authorId", "schoolId", content, visibility, "updatedAt")
VALUES (%s, %s, %s, %s, 'PUBLIC', now())
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks and writes."""

    id: str
    role: str
    school: str | None
    token: str


@dataclass(frozen=True, slots=True)
class Question:
    """One GET."""

    path: str
    asker: Person
    params: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; looked into afterwards, for others are being timed meanwhile."""

    milliseconds: float
    status: int
    headers: Mapping[str, str]
    body: bytes


#: None: no answer, or one that is an error.
Answers = Sequence[Answer | None]


async def people(stage: Stage, conn: Connection, count: int) -> list[Person]:
    """So many students and teachers, with a token each."""
    return [
        Person(key, role, school, issue(stage.secret, user=key, role=role, school_id=school, ttl=3600))
        for key, role, school in await fetch_rows(conn, _PEOPLE_SQL, (count,))
    ]


async def ask(url: str, questions: Sequence[Question], *, rate: float, warm_up: int = _WARM_UP) -> Answers:
    """The answers, in the order of the questions, of which `rate` are due a second; the first ones warm up."""
    async with aiohttp.ClientSession(url, timeout=_TIMEOUT) as http:
        for question in questions[:warm_up]:
            await _answer(http, question, perf_counter())
        return await at_rate(rate, len(questions), lambda number, due: _answer(http, questions[number], due))


async def at_rate(rate: float, count: int, act: Callable[[int, float], Awaitable[T]]) -> list[T]:
    """Begin `rate` acts a second, whether the former ones have ended or not; each is told when it was due."""

    async def one(number: int) -> T:
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - perf_counter()))
        return await act(number, due)

    begin = perf_counter()
    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def write(
    stage: Stage, authors: Sequence[Person], texts: Sequence[str], *, rate: float, seconds: float
) -> int:
    """Write `rate` public posts a second; gives how many."""
    begin, count = perf_counter(), int(rate * seconds)
    async with connect(stage.on.database_url, autocommit=True, name="bench-write") as conn:
        for number in range(count):
            await asyncio.sleep(max(0.0, begin + number / rate - perf_counter()))
            author, text = authors[number % len(authors)], texts[number % len(texts)]
            await conn.execute(_POST_SQL, (f"new-{begin}-{number}", author.id, author.school, text))
    return count


def figures(answers: Answers) -> dict[str, Any]:
    """Milliseconds, and what answered how often."""
    told = [answer for answer in answers if answer is not None]
    return {
        **percentiles([answer.milliseconds for answer in told]),
        "answers": len(told),
        "by": dict(Counter(answer.headers.get("Stunity-Source", "none") for answer in told)),
        "failed": len(answers) - len(told),
    }


async def _answer(http: aiohttp.ClientSession, question: Question, due: float) -> Answer | None:
    headers = {"Authorization": f"Bearer {question.asker.token}"}
    if question.etag is not None:
        headers["If-None-Match"] = question.etag
    try:
        async with http.get(question.path, params=question.params, headers=headers) as response:
            body = await response.read()
            milliseconds = 1000 * (perf_counter() - due)
            response.raise_for_status()
            return Answer(milliseconds, response.status, response.headers, body)
    except (aiohttp.ClientError, TimeoutError):
        return None
