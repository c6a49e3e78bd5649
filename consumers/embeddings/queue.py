"""The embedding job's SQL: take texts that wait, save their vectors for whatever has the texts by then.

A text is taken by a short lease, prolonged while the model works on it, not by a lock: no transaction stays open for
so long, and when a worker dies its texts are soon due again.
What is queued, and why, is `store.py`'s; running the model is `jobs.py`'s; people's interests are `people.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consumers.embeddings.schema import EMBED, QUEUE, Embedding, Kind, Model, to_text
from consumers.embeddings.store import mark_interests, transaction, use_model
from consumers.embeddings.tables import of_set
from runtime import jobs, statements
from runtime.postgres import Connection, Pool

_SQL: Final = statements.load(Path(__file__).parent / "sql" / "queue.sql")

_SERVE: Final = (
    "retire_others",
    "serve",
    "drop_retired_texts",
    "drop_retired_vectors",
    "drop_retired_interests",
)

#: A text that fails by itself so often is given up.
MAX_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Text:
    """A text that this worker has taken; `cached` when its vector is there already."""

    digest: bytes
    text: str
    attempts: int
    cached: bool


class TextQueue:
    """`embeddings.pending` for workers; any number of them at once."""

    def __init__(self, pool: Pool, model: Model, number: int | None = None) -> None:
        """`number`: of a shadow, whose texts wait in a table of its own."""
        self._pool = pool
        self._model = model
        self._number = number
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

    async def take(self, count: int, lease: float) -> list[Text]:
        """Take up to `count` texts that are due, for `lease` seconds."""
        async with transaction(self._pool) as conn:
            rows = await self._rows(conn, "take_texts", count=count, lease=lease)
        return [Text(bytes(digest), text, attempts, cached) for digest, text, attempts, cached in rows]

    async def save(self, embedded: Mapping[bytes, Embedding], cached: Sequence[bytes] = ()) -> int:
        """Save vectors for what has the texts now; those of `cached` are there already. Gives how many things."""
        hashes = [*embedded, *cached]
        async with transaction(self._pool) as conn:
            await self._run(conn, "lock_texts", hashes=hashes)
            if embedded:
                await self._run(conn, "save_cache", **_columns(embedded))
            saved = await self._rows(conn, "save_vectors", hashes=hashes)
            await self._run(conn, "drop_texts", hashes=hashes)
            await self._run(conn, "drop_stray_cache", hashes=hashes)
            await self._mark_interests(conn, [(kind, key) for kind, key, is_new in saved if is_new])
        return len(saved)

    async def keep(self, hashes: Sequence[bytes], lease: float) -> None:
        """Go on holding texts for `lease` seconds from now."""
        async with transaction(self._pool) as conn:
            await self._run(conn, "lock_texts", hashes=hashes)
            await self._run(conn, "keep_texts", hashes=hashes, lease=lease)

    async def postpone(
        self, hashes: Sequence[bytes], reason: str, seconds: float, *, give_up: bool = False
    ) -> None:
        """Put texts back for later; `give_up` sets those aside that have been tried often enough."""
        async with transaction(self._pool) as conn:
            params: dict[str, Any] = {"hashes": list(hashes), "error": reason[:500], "delay": seconds}
            await self._run(conn, "lock_texts", hashes=list(hashes))
            await self._run(conn, "postpone_texts", **params, give_up=give_up, attempts=MAX_ATTEMPTS)

    async def come_back(self) -> None:
        """Ask for the embedding job at the time when the next text may be taken, if one waits."""
        if self._number is not None:
            return  # whoever fills the shadow looks by itself
        async with transaction(self._pool) as conn:
            [(seconds,)] = await self._rows(conn, "next_due")
            if seconds is not None:
                await jobs.enqueue(conn, EMBED, queue=QUEUE, delay=seconds, once=True)

    async def serve_when_complete(self) -> None:
        """Let reads use this model's vectors once a fill is through, and drop those of the model before it."""
        if self._number is not None:
            return  # the exchange does
        async with transaction(self._pool) as conn:
            rows = await self._rows(conn, "is_complete")
            if rows == [(True,)]:
                for name in _SERVE:
                    await self._run(conn, name)

    async def prune(self) -> int:
        """Drop cached vectors that nothing has used for long; gives how many."""
        async with transaction(self._pool) as conn:
            return (await conn.execute(_SQL["prune"])).rowcount

    async def _mark_interests(self, conn: Connection, saved: Sequence[tuple[str, str]]) -> None:
        """A like may be older than the vector of what it likes."""
        if self._number is not None:
            return
        people = [key for kind, key in saved if kind == Kind.PROFILE]
        if posts := [key for kind, key in saved if kind == Kind.POST]:
            people += [row[0] for row in await self._rows(conn, "engaged_people", posts=posts)]
        await mark_interests(conn, people)

    async def _run(self, conn: Connection, name: str, **params: Any) -> None:
        await conn.execute(self._sql[name], {"model": self._model_id, **params})

    async def _rows(self, conn: Connection, name: str, **params: Any) -> list[tuple[Any, ...]]:
        return await (await conn.execute(self._sql[name], {"model": self._model_id, **params})).fetchall()


class MonthlyQuota:
    """Requests per calendar month (UTC), counted in PostgreSQL, so that all workers share them."""

    def __init__(self, pool: Pool, backend: str, limit: int) -> None:
        self._pool = pool
        self._params = {"backend": backend, "limit": limit}

    async def take(self) -> float:
        """See `backend.Quota`."""
        async with transaction(self._pool) as conn:
            if (await conn.execute(_SQL["use_quota"], self._params)).rowcount:
                return 0.0
            [(seconds,)] = await (await conn.execute(_SQL["quota_reset"])).fetchall()
        return float(seconds)


def _columns(embedded: Mapping[bytes, Embedding]) -> dict[str, Any]:
    return {
        "hashes": list(embedded),
        "vectors": [to_text(one.vector) for one in embedded.values()],
        "readable": [one.readable for one in embedded.values()],
    }
