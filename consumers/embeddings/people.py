"""The interest job's SQL: people whose interests have changed, what they did lately, and the vector built from it.

How acts become a vector is `interests.py`; when it is asked for, `store.mark_interests`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from consumers.embeddings import interests
from consumers.embeddings.interests import Signal
from consumers.embeddings.schema import INTERESTS, QUEUE, Model, Vector, from_binary, to_text
from consumers.embeddings.store import transaction, use_model
from consumers.embeddings.tables import of_set
from runtime import jobs, statements
from runtime.postgres import Connection, Pool

_SQL: Final = statements.load(Path(__file__).parent / "sql" / "people.sql")

#: Of each kind of act, how many of a person's latest count.
SIGNALS_PER_ACT: Final = 60


class InterestQueue:
    """`embeddings.stale_interests` for workers; any number of them at once."""

    def __init__(self, pool: Pool, model: Model, number: int | None = None) -> None:
        """`number`: of a shadow, from whose vectors the interests are built."""
        self._pool = pool
        self._model = model
        self._sql = of_set(_SQL, number)
        self._model_id: int | None = None

    async def ready(self) -> bool:
        """Whether there is a place for vectors; False without pgvector.

        Raises:
            Retryable: PostgreSQL is away (so do all methods).
        """
        if self._model_id is None:
            async with transaction(self._pool) as conn:
                self._model_id = await use_model(conn, self._model)
        return self._model_id is not None

    async def build(self, count: int) -> int:
        """Build the interests of up to `count` people that are due, in one transaction; gives how many."""
        async with transaction(self._pool) as conn:
            rows = await (await conn.execute(self._sql["take_people"], {"count": count})).fetchall()
            people = [row[0] for row in rows]
            if people:
                await self._build(conn, people)
        return len(people)

    async def build_next(self, after: str, count: int) -> str | None:
        """Build the interests of the people that follow `after`, whoever is due; gives the last of them."""
        async with transaction(self._pool) as conn:
            rows = await (
                await conn.execute(self._sql["next_people"], {"after": after, "count": count})
            ).fetchall()
            people = [row[0] for row in rows]
            if people:
                await self._build(conn, people)
        return people[-1] if people else None

    async def _build(self, conn: Connection, people: Sequence[str]) -> None:
        signals = await self._signals(conn, people)
        vectors = {user: interests.build(own) for user, own in signals.items()}
        await self._save(conn, vectors, signals)

    async def come_back(self) -> None:
        """Ask for the interest job at the time when the next person is due, if there is one."""
        async with transaction(self._pool) as conn:
            [(seconds,)] = await (await conn.execute(self._sql["next_person"])).fetchall()
            if seconds is not None:
                await jobs.enqueue(conn, INTERESTS, queue=QUEUE, delay=seconds, once=True)

    async def _signals(self, conn: Connection, people: Sequence[str]) -> dict[str, list[Signal]]:
        params = {"users": people, "model": self._model_id, "limit": SIGNALS_PER_ACT}
        found: dict[str, list[Signal]] = {person: [] for person in people}
        for user, weight, at, vector in await (await conn.execute(self._sql["signals"], params)).fetchall():
            found[user].append(Signal(weight, at, from_binary(vector)))
        return found

    async def _save(
        self, conn: Connection, vectors: Mapping[str, Vector | None], signals: Mapping[str, Sequence[Signal]]
    ) -> None:
        known = {user: vector for user, vector in vectors.items() if vector is not None}
        params = {
            "model": self._model_id,
            "users": list(known),
            "vectors": [to_text(vector) for vector in known.values()],
            "signals": [len(signals[user]) for user in known],
            "without": [user for user in vectors if user not in known],
        }
        await conn.execute(self._sql["save_interests"], params)
        await conn.execute(self._sql["drop_interests"], params)
