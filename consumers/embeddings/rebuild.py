"""Rebuilding the vectors: another set of tables beside the one that serves, exchanged by renaming, in one transaction.

A fill writes documents (which text each thing has, by its hash); their vectors then come from the cache in one
statement, and the indexes are built over them in one go. Only texts that the cache does not know go to the model:
none in a rebuild for the same model, all of them in a rebuild for another one, which is filled, followed and indexed
beside the old one and takes over at once. The tables are `migrations/002_sets.sql`, the order of a rebuild
`consumers/engine/rebuild/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from consumers.embeddings.backend import Backend
from consumers.embeddings.jobs import EmbedJob
from consumers.embeddings.people import InterestQueue
from consumers.embeddings.projection import VIEW, EmbeddingsProjection
from consumers.embeddings.queue import TextQueue
from consumers.embeddings.schema import Document, Model, Policy, Touched
from consumers.embeddings.store import EmbeddingStore, transaction, use_model
from consumers.embeddings.tables import of_set
from consumers.engine.checkpoint import Refill
from consumers.engine.rebuild.room import postgres_room
from consumers.engine.rebuild.shadow import Filled, Moved, Need, Sides, shadow_name
from consumers.engine.tasks import ahead
from runtime.errors import ConfigurationError, Retryable
from runtime.postgres import Pool, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "rebuild.sql")
_TABLES: Final = ("posts", "courses", "users")
_PAGE: Final = 2000
_PEOPLE: Final = 200
#: Renaming waits for readers, and makes others wait: a short moment each time, so often.
_EXCHANGES: Final = 25
_PAUSE: Final = 0.1
_LOOK_SECONDS: Final = 0.3
#: Texts that are written shortly before another model takes over hold the exchange up for so long at most.
_LAST_TEXTS_SECONDS: Final = 10.0


class EmbeddingShadows:
    """See `Shadows`. `open_backend` loads the model when the first text is embedded, not before."""

    view: Final = VIEW

    def __init__(
        self,
        pool: Pool,
        model: Model,
        policy: Policy,
        open_backend: Callable[[], AbstractAsyncContextManager[Backend]],
    ) -> None:
        self._pool = pool
        self._model = model
        self._policy = policy
        self._open_backend = open_backend

    def projection(self, number: int) -> EmbeddingsProjection:
        """The write side of a shadow."""
        return EmbeddingsProjection(self._store(number), shadow_name(VIEW, number))

    async def fence(self, generation: int) -> None:
        """By the checkpoint's row, with which every writing transaction begins; whatever the model."""
        async with transaction(self._pool) as conn:
            await conn.execute(_SQL["fence"], {"generation": generation})

    async def target(self, number: int) -> str:
        """The number of the set."""
        return f"@{number}"

    async def needs(self) -> Sequence[Need]:
        """The tables of a set once more."""
        async with transaction(self._pool) as conn:
            return [await postgres_room(conn, ["embeddings.documents", "embeddings.vectors"])]

    async def rows(self) -> int:
        """Posts, courses and people."""
        async with transaction(self._pool) as conn:
            [(rows,)] = await fetch_rows(conn, _SQL["rows"])
        return int(rows)

    async def fill(self, number: int, generation: int, after: Refill | None) -> AsyncIterator[Filled]:
        """See `Shadows`: documents by table and key; the next page is read while one is written."""
        store = self._store(number)
        await store.prepare()
        started = _TABLES.index(after.source) if after else 0
        for table in _TABLES[started:]:
            cursor = after.cursor if after and after.source == table and after.cursor else ""
            async with ahead(self._pages(store, table, cursor)) as pages:
                async for keys, docs in pages:
                    await store.fill(docs)
                    yield Filled(Refill(table, keys[-1]), len(keys))

    async def complete(self, number: int) -> None:
        """Embed what nobody has, load the vectors, build the indexes; for another model, people's interests too."""
        async with transaction(self._pool) as conn:
            model = await use_model(conn, self._model)
            if model is None:
                raise ConfigurationError("semantic features are off: there is no pgvector")
        if await self._waiting(number):
            async with self._open_backend() as backend:
                await EmbedJob(TextQueue(self._pool, self._model, number), backend, asyncio.Event()).run()
        async with transaction(self._pool) as conn:
            await conn.execute(_SQL["work_memory"])
            await conn.execute("SELECT embeddings.load_shadow(%s, %s)", (number, model))
        if await self._is_another_model():
            people = InterestQueue(self._pool, self._model, number)
            await people.ready()
            after: str | None = ""
            while after is not None:
                after = await people.build_next(after, _PEOPLE)

    async def accompany(self, number: int, stop: asyncio.Event) -> None:
        """For another model there is no worker yet: embed what is written meanwhile."""
        if not await self._is_another_model():
            return
        async with self._open_backend() as backend:
            job = EmbedJob(TextQueue(self._pool, self._model, number), backend, stop)
            while not stop.is_set():
                if await self._waiting(number):
                    await job.run()
                await asyncio.wait((asyncio.create_task(stop.wait()),), timeout=_LOOK_SECONDS)

    async def finish_off(self, number: int) -> bool:
        """For another model: embed what waits, so that nothing is missing that the set of before has."""
        if not await self._is_another_model() or not await self._waiting(number):
            return False
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(_LAST_TEXTS_SECONDS, stop.set)
        async with self._open_backend() as backend:
            await EmbedJob(TextQueue(self._pool, self._model, number), backend, stop).run()
        return not stop.is_set()

    async def counts(self, number: int) -> Mapping[str, int]:
        """Things that have their vector."""
        return {"vectors": await self._count(number, "with_vector")}

    async def expected(self, number: int) -> Mapping[str, int]:
        """Things that have a text, but for texts that no model would take."""
        return {"vectors": await self._count(number, "with_text")}

    async def sides(self, number: int) -> Sides | None:
        """The numbers by which PostgreSQL knows the tables, whatever they are called."""
        async with transaction(self._pool) as conn:
            [(serving, shadow)] = await fetch_rows(conn, _SQL["sides"], {"shadow": _documents(number)})
        return Sides(serving, shadow) if shadow else None

    async def exchange(self, number: int, sides: Sides) -> None:
        """Rename, in one transaction."""
        for left in reversed(range(_EXCHANGES)):
            try:
                async with transaction(self._pool) as conn:
                    params = {"shadow": _documents(number)}
                    [(serving, shadow)] = await fetch_rows(conn, _SQL["sides"], params)
                    if (serving, shadow) == (sides.serving, sides.shadow):
                        await conn.execute("SELECT embeddings.exchange_shadow(%s)", (number,))
                    elif serving != sides.shadow:
                        raise Moved("other tables stand in schema embeddings")
                return
            except Retryable:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE)

    async def drop(self, number: int) -> None:
        """Drop the tables of the shadow."""
        async with transaction(self._pool) as conn:
            await conn.execute("SELECT embeddings.drop_shadow(%s)", (number,))

    def _store(self, number: int) -> EmbeddingStore:
        return EmbeddingStore(self._pool, self._model, self._policy, number)

    async def _pages(
        self, store: EmbeddingStore, table: str, after: str
    ) -> AsyncIterator[tuple[list[str], Sequence[Document]]]:
        """Keys in their order, and the documents that they have."""
        while True:
            async with transaction(self._pool) as conn:
                rows = await fetch_rows(conn, _SQL[f"next_{table}"], {"after": after, "most": _PAGE})
            if not rows:
                return
            keys = [row[0] for row in rows]
            yield keys, await store.read(_touched(table, keys))
            after = keys[-1]

    async def _waiting(self, number: int) -> bool:
        return await self._count(number, "waiting") > 0

    async def _is_another_model(self) -> bool:
        async with transaction(self._pool) as conn:
            rows = await fetch_rows(conn, _SQL["serving_model"])
        return rows != [(self._model.name,)]

    async def _count(self, number: int, name: str) -> int:
        async with transaction(self._pool) as conn:
            [(count,)] = await fetch_rows(conn, of_set(_SQL, number)[name])
        return int(count)


def _documents(number: int) -> str:
    return f"embeddings.documents_r{number}"


def _touched(table: str, keys: Sequence[str]) -> Touched:
    match table:
        case "posts":
            return Touched(posts=keys, refill=True)
        case "courses":
            return Touched(courses=keys, refill=True)
    return Touched(users=keys, refill=True)
