"""Comparing the vectors with the truth: every thing has the text that it should have, and the vector of that text.

What a vector should be only the model knows; it is taken to be what the cache has for the text. A text that waits for
the model is under way, not missing. Interests are compared by whether there are any: their numbers follow from acts
at other times than now.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg

from consumers.embeddings.expected import expected_text
from consumers.embeddings.schema import INTERESTS, QUEUE, Kind
from consumers.embeddings.tables import of_set
from consumers.engine.comparison import BUCKET_SQL, Item, Selection, compare_sides, digest_of_bytes
from consumers.engine.pace import Pace
from consumers.engine.passing import Passing
from consumers.engine.repair.requests import Request, ask
from consumers.engine.verification import Differences, Key, Look, Settle, confirm
from runtime import jobs
from runtime.errors import ConfigurationError, Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_dicts
from runtime.settings import Settings
from runtime.statements import load

_SQL: Final = {
    name: text.replace("{BUCKET}", BUCKET_SQL.format("p.id"))
    for name, text in load(Path(__file__).parent / "sql" / "verification.sql").items()
}
_INTERESTS: Final = "interests"
_TOPIC: Final = {Kind.POST: "post", Kind.QUIZ: "post", Kind.COURSE: "course", Kind.PROFILE: "user"}
_PAGE: Final = 2000
_DAMAGED: Final = -1

Row = dict[str, Any]


class EmbeddingsVerifier:
    """Schema `embeddings` against posts, quizzes, courses and users."""

    name: ClassVar[str] = "embeddings"

    def __init__(self, pool: Pool, settings: Settings, pace: Pace, number: int | None = None) -> None:
        """`number`: of a shadow; interests belong to no set (`tables.py`) and are not compared then."""
        self._pool = pool
        self._number = number
        self._sql = of_set(_SQL, number)
        self._settings = settings
        self._pace = pace

    async def compare(self, target: str | None = None, *, settle: Settle | None = None) -> Differences:
        """See `Verifier`. A target is `@` and the number of a rebuild, whose set of vectors stands beside.

        Raises:
            ConfigurationError: semantic features are off.
        """
        if target is not None:
            shadow = EmbeddingsVerifier(self._pool, self._settings, self._pace, int(target.removeprefix("@")))
            return await shadow.compare(settle=settle)
        await self._model()

        async def look(only: Collection[Key] | None) -> Look:
            found, model = Look(), await self._model()
            for kind in Kind:
                wanted, held = partial(self._wanted, model, kind), partial(self._held, model, kind)
                found.add(await compare_sides(kind, wanted, held, only))
            if self._number is None:
                found.add(await self._look_at_interests(model, only))
            return found

        return await confirm(self.name, look, settle or Passing(self._pool, self.name))

    async def repair(self, differences: Differences) -> int:
        """See `Verifier`."""
        model = await self._model()
        things = [key for key in differences.every() if key.part != _INTERESTS]
        stale = [key for key in things if key in differences.stale]
        people = [key.id for key in differences.missing if key.part == _INTERESTS]
        leavers = [key.id for key in differences.extra if key.part == _INTERESTS]
        try:
            async with self._pool.connection() as conn:
                columns = {"kinds": [key.part for key in stale], "ids": [key.id for key in stale]}
                await conn.execute(self._sql["drop_vectors"], {**columns, "model": model})
                if people:
                    await conn.execute(self._sql["mark_interests"], (people,))
                    await jobs.enqueue(conn, INTERESTS, queue=QUEUE, once=True)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        requests = [_request(_TOPIC[Kind(key.part)], key.id) for key in things]
        await ask(self._pool, self.name, [*requests, *(_request("user", user) for user in leavers)])
        return len(things) + len(people) + len(leavers)

    async def _model(self) -> int:
        rows = await self._rows("model", {})
        if not rows:
            raise Retryable("the embeddings have no tables, or no checkpoint yet: does their consumer run?")
        [row] = rows
        if row["id"] is None:
            raise ConfigurationError("semantic features are off: the consumer found no pgvector")
        return int(row["id"])

    async def _wanted(self, model: int, kind: Kind, selection: Selection) -> AsyncIterator[Iterable[Item]]:
        outside = self._settings.embedding_backend == "huggingface"
        shared = ["PUBLIC", "SCHOOL"]
        params = {
            "posts": shared
            if outside and not self._settings.embedding_share_class_posts
            else [*shared, "CLASS"],
            "profiles": shared if outside else [*shared, "CLASS", "PRIVATE"],
        }
        async for rows in self._pages(kind, selection, params):
            texts = ((row["id"], expected_text(row)) for row in rows)
            yield [(key, self._digest(kind, text)) for key, text in texts if text]

    async def _held(self, model: int, kind: Kind, selection: Selection) -> AsyncIterator[Iterable[Item]]:
        async for rows in self._pages("held", selection, {"model": model, "kind": kind}):
            yield [
                (row["id"], _DAMAGED if row["vector"] == "damaged" else digest_of_bytes(row["content_hash"]))
                for row in rows
                if row["vector"] != "lost"
            ]

    def _digest(self, kind: Kind, text: str) -> int:
        settings = self._settings
        prefix = (
            settings.embedding_query_prefix if kind is Kind.PROFILE else settings.embedding_passage_prefix
        )
        return digest_of_bytes(hashlib.sha256((prefix + text).encode()).digest())

    async def _look_at_interests(self, model: int, only: Collection[Key] | None) -> Look:
        """Missing when something is known of a person; extra only when there is no such person."""
        seen = await compare_sides(
            _INTERESTS,
            partial(self._people, "wanted_interests", model),
            partial(self._people, "held_interests", model),
            only,
        )
        extra = [key.id for key in seen.faults if seen.faults[key].wanted is None]
        async with self._pool.connection() as conn:
            present = {row["id"] for row in await fetch_dicts(conn, self._sql["existing"], (extra,))}
        kept = {
            key: fault
            for key, fault in seen.faults.items()
            if fault.wanted is not None or key.id not in present
        }
        return Look(seen.compared, kept)

    async def _people(
        self, statement: str, model: int, selection: Selection
    ) -> AsyncIterator[Iterable[Item]]:
        async for rows in self._pages(statement, selection, {"model": model}):
            yield [(row["id"], 1) for row in rows]

    async def _pages(self, name: str, selection: Selection, params: Row) -> AsyncIterator[Sequence[Row]]:
        after: str | None = ""
        while after is not None:
            page = {**params, **selection.params(), "after": after, "most": _PAGE}
            rows = await self._rows(name, page)
            await self._pace.spend(len(rows))
            yield rows
            after = rows[-1]["id"] if len(rows) == _PAGE else None

    async def _rows(self, name: str, params: Row) -> list[Row]:
        try:
            async with self._pool.connection() as conn:
                return await fetch_dicts(conn, self._sql[name], params)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return []  # the tables that hold vectors have been dropped
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error


@asynccontextmanager
async def verifier(settings: Settings, pool: Pool, pace: Pace) -> AsyncIterator[EmbeddingsVerifier]:
    """The verifier of the vectors of these settings.

    Raises:
        ConfigurationError: they are off.
    """
    if settings.embedding_backend == "none":
        raise ConfigurationError("EMBEDDING_BACKEND is none")
    yield EmbeddingsVerifier(pool, settings, pace)


def _request(topic: str, key: str) -> Request:
    return Request(topic, f"{topic}.updated.v1", key)
