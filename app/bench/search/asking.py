"""Questions at a steady rate through the API, while posts are written at another; each timed from when it was due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles
from time import perf_counter
from typing import Any, Final

import aiohttp
import orjson

from app.bench.search.stage import Stage, sentences, words
from runtime.auth import issue
from runtime.postgres import Connection, connect, fetch_rows

_WARM_UP: Final = 30
_VIEWERS_SQL: Final = """
SELECT id, role::text, "schoolId" FROM users
 WHERE "isActive" AND "accountSuspendedAt" IS NULL AND role IN ('STUDENT', 'TEACHER') ORDER BY id LIMIT 100
"""
_WRITE_SQL: Final = """
INSERT INTO posts (id, "authorId", "schoolId", content, visibility, "updatedAt")
VALUES (%s, %s, %s, %s, 'PUBLIC', now())
"""


@dataclass(slots=True)
class Answers:
    """What came back."""

    milliseconds: list[float] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    _bodies: list[bytes] = field(default_factory=list)

    def note(self, source: str, body: bytes, milliseconds: float) -> None:
        """One more; looked into afterwards, for others are being timed now."""
        self.milliseconds.append(milliseconds)
        self.sources[source] = self.sources.get(source, 0) + 1
        self._bodies.append(body)

    def figures(self) -> dict[str, Any]:
        """Milliseconds and counts."""
        cuts = quantiles(self.milliseconds, n=100) if len(self.milliseconds) > 1 else [0.0] * 99
        return {
            "p50_ms": round(cuts[49], 1),
            "p95_ms": round(cuts[94], 1),
            "p99_ms": round(cuts[98], 1),
            "answers": len(self.milliseconds),
            "by": self.sources,
            "empty": sum(not orjson.loads(body)["data"] for body in self._bodies),
            "failed": self.failed,
        }


async def ask(
    stage: Stage, conn: Connection, url: str, *, rate: float, seconds: float, writes: float
) -> dict[str, Any]:
    """Ask `rate` questions a second while `writes` posts a second are written."""
    people = await fetch_rows(conn, _VIEWERS_SQL)
    tokens = [
        issue(stage.secret, user=key, role=role, school_id=school, ttl=3600) for key, role, school in people
    ]
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(20)) as http:
        warm = Answers()
        for number in range(_WARM_UP):
            await _question(http, tokens, Random(number), warm, perf_counter())  # noqa: S311
        written = asyncio.create_task(_write(stage, people, rate=writes, seconds=seconds))
        answers = await _questions(http, tokens, rate, seconds)
        return {**answers.figures(), "posts_written": await written}


async def _questions(
    http: aiohttp.ClientSession, tokens: Sequence[str], rate: float, seconds: float
) -> Answers:
    answers, begin = Answers(), perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - perf_counter()))
            tasks.create_task(_question(http, tokens, Random(number), answers, due))  # noqa: S311
    return answers


async def _question(
    http: aiohttp.ClientSession, tokens: Sequence[str], rng: Random, answers: Answers, due: float
) -> None:
    headers = {"Authorization": f"Bearer {rng.choice(tokens)}"}
    try:
        async with http.get("/posts", params={"search": rng.choice(_WORDS)}, headers=headers) as response:
            body = await response.read()
            milliseconds = 1000 * (perf_counter() - due)
            response.raise_for_status()
    except (aiohttp.ClientError, TimeoutError):
        answers.failed += 1
        return
    answers.note(response.headers["stunity-source"], body, milliseconds)


async def _write(stage: Stage, people: Sequence[Any], *, rate: float, seconds: float) -> int:
    if not rate:
        return 0
    rng, texts, begin = Random(3), sentences(), perf_counter()  # noqa: S311
    count = int(rate * seconds)
    async with connect(stage.on.settings.database_url, autocommit=True, name="bench-write") as conn:
        for number in range(count):
            await asyncio.sleep(max(0.0, begin + number / rate - perf_counter()))
            author, _, school = rng.choice(people)
            await conn.execute(_WRITE_SQL, (f"new-{begin}-{number}", author, school, rng.choice(texts)))
    return count


_WORDS: Final = words()
