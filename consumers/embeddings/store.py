"""The projection's SQL: in one transaction the texts that the truth has now, the queue of new ones, the checkpoint.

Here nothing is embedded; the jobs' side of the same tables is `queue.py`. Locks are taken in one order by both:
`pending`, then `documents`, then `vectors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import psycopg
import structlog

from consumers.embeddings.remake import remake
from consumers.embeddings.schema import EMBED, INTERESTS, QUEUE, Document, Key, Kind, Model, Policy, Touched
from consumers.embeddings.tables import of_set
from consumers.embeddings.text import MAX_CHARS, document
from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from runtime import jobs, statements
from runtime.arrays import bytestrings, texts
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool

log = structlog.get_logger(__name__)

_SQL: Final = statements.load(Path(__file__).parent / "sql" / "projection.sql")

#: Seconds in which a person's likes and views are gathered before the interests are built again.
INTEREST_DELAY: Final = 3.0
#: While the view is filled the vectors come first.
REFILL_DELAY: Final = 30.0
#: Markdown and links go before the text is cut, so a little more is read.
_READ_CHARS: Final = 2 * MAX_CHARS

#: What a dropped table, column or extension looks like.
_DROPPED: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)


@dataclass(slots=True)
class _Changes:
    """What has to be written for a batch."""

    changed: list[Document] = field(default_factory=list)
    absent: list[Key] = field(default_factory=list)


class EmbeddingStore:
    """Schema `embeddings` for the one writer of documents. Without a model it keeps the checkpoint and no more."""

    def __init__(self, pool: Pool, model: Model | None, policy: Policy, number: int | None = None) -> None:
        """`number`: of a shadow, a set of vectors beside the one that serves (`tables.py`)."""
        self._pool = pool
        self._number = number
        self._sql = of_set(_SQL, number)
        self._model = model
        self._policy = policy
        self._model_id: int | None = None

    async def prepare(self) -> None:
        """Make the tables and the model known; without pgvector the feature is off and the reason in the log.

        Raises:
            Retryable: PostgreSQL is away.
        """
        self._model_id = None
        async with transaction(self._pool) as conn:
            await remake(conn)
            if self._model is None:
                return
            self._model_id = await use_model(conn, self._model)
            if self._model_id is None:
                return
            if self._number is not None:
                await conn.execute("SELECT embeddings.make_shadow(%s)", (self._number,))
            rows = await (await conn.execute(self._sql["other_model"], {"model": self._model_id})).fetchall()
        if rows and (rows[0][1] or self._number is not None):
            raise Retryable(f"these vectors are of {rows[0][0]}, not of {self._model.name}: EMBEDDING_MODEL")

    async def read(self, touched: Touched) -> list[Document]:
        """For a bulk load: the documents that these keys have in the truth."""
        assert self._model is not None
        async with transaction(self._pool) as conn:
            return list((await self._hydrate(conn, touched, self._model)).values())

    async def fill(self, docs: Sequence[Document]) -> None:
        """For a bulk load: documents, and the texts of theirs that nobody has embedded; vectors come later."""
        assert self._model_id is not None
        async with transaction(self._pool) as conn:
            await self._save(conn, docs, self._model_id, refill=True, load=True)

    async def read_checkpoint(self) -> str | None:
        """The checkpoint, when it was made for the same model and there are vectors; else the engine fills the view."""
        params = {"model": self._model_id}
        try:
            async with transaction(self._pool) as conn:
                row = await (await conn.execute(self._sql["read_checkpoint"], params)).fetchone()
                if row and self._model_id is not None and self._number is None:
                    [(lost,)] = await (await conn.execute(self._sql["lost_vectors"], params)).fetchall()
                    row = None if lost else row
        except _DROPPED:
            return None
        return row[0] if row else None

    async def clear(self, generation: int) -> None:
        """Remove the documents of things, and the interests of people, that are gone from the truth.

        What stands there stays: its vector need not be loaded again, and the fill compares the texts.

        Raises:
            Retryable, StaleOwner, StoreForgot: as `write`.
        """
        if self._model is None or self._model_id is None:
            return
        try:
            async with transaction(self._pool) as conn:
                if (await conn.execute(self._sql["claim"], {"generation": generation})).rowcount == 0:
                    await self._refuse(conn, generation)
                outlived = await (await conn.execute(self._sql["outlived_documents"])).fetchall()
                if outlived:
                    await conn.execute(self._sql["drop_documents"], _columns(outlived))
                if self._number is None:
                    await conn.execute(self._sql["drop_outlived_marks"])
                    await conn.execute(self._sql["drop_outlived_interests"])
        except _DROPPED as error:
            raise StoreForgot(f"embeddings: {error}") from error

    async def write(self, touched: Touched, batch: Batch) -> None:
        """Bring documents up to the truth, queue what is missing, store the checkpoint: all or nothing.

        Raises:
            Retryable: PostgreSQL is away or busy.
            StaleOwner: a newer owner has written.
            StoreForgot: the view has been dropped, or does not hold the checkpoint that is expected.
        """
        try:
            async with transaction(self._pool) as conn:
                await self._save_checkpoint(conn, batch)
                if self._model is not None and self._model_id is not None:
                    await wait_until_visible(conn, batch.events)
                    await self._write(conn, touched, self._model, self._model_id)
        except _DROPPED as error:
            raise StoreForgot(f"embeddings: {error}") from error

    async def _save_checkpoint(self, conn: Connection, batch: Batch) -> None:
        params = {
            "generation": batch.generation,
            "checkpoint": batch.checkpoint,
            "expects": batch.expects,
            "model": self._model_id,
        }
        begins = batch.refill and batch.expects is None
        statement = self._sql["first_checkpoint" if begins else "next_checkpoint"]
        if (await conn.execute(statement, params)).rowcount == 0:
            await self._refuse(conn, batch.generation)

    async def _refuse(self, conn: Connection, generation: int) -> NoReturn:
        params = {"generation": generation}
        [(newer,)] = await (await conn.execute(self._sql["newer_owner"], params)).fetchall()
        raise StaleOwner if newer else StoreForgot("embeddings: not the checkpoint that was given")

    async def _write(self, conn: Connection, touched: Touched, model: Model, model_id: int) -> None:
        stale = list(touched.engaged)
        queued = False
        if keys := touched.keys():
            changes = await self._compare(conn, touched, keys, model, model_id)
            queued = await self._save(conn, changes.changed, model_id, refill=touched.refill)
            if changes.absent:
                await conn.execute(self._sql["drop_documents"], _columns(changes.absent))
            stale += [doc.id for doc in changes.changed if doc.kind is Kind.PROFILE]
        if self._number is not None:  # the set that serves has the texts embedded, and looks after people
            await conn.execute(self._sql["take_embedded"], {"model": model_id})
            return
        if queued or (
            touched.refill and keys
        ):  # a fill from the cache alone needs the job to let reads use it
            await jobs.enqueue(conn, EMBED, queue=QUEUE, once=True)
        if touched.users:
            await _drop_absent_people(conn, touched.users)
        await mark_interests(conn, stale, REFILL_DELAY if touched.refill else INTEREST_DELAY)

    async def _save(
        self,
        conn: Connection,
        docs: Sequence[Document],
        model_id: int,
        *,
        refill: bool,
        load: bool = False,
    ) -> bool:
        """Write documents, copy the vectors that the cache has, queue the other texts; True when there are such."""
        if not docs:
            return False
        wanted = {doc.digest: doc.text for doc in docs}
        params: dict[str, Any] = {"model": model_id, "hashes": bytestrings(wanted)}
        # vectors of a load are taken from the cache later: there is nothing to hold on to until then
        rows = await (await conn.execute(self._sql["cached" if load else "lock_cached"], params)).fetchall()
        cached = {bytes(row[0]) for row in rows}
        missing = {digest: text for digest, text in wanted.items() if digest not in cached}
        if missing:
            params |= {"hashes": bytestrings(missing), "texts": list(missing.values()), "refill": refill}
            await conn.execute(self._sql["queue_texts"], params)
        columns = _columns((doc.kind, doc.id) for doc in docs)
        hashes = bytestrings(doc.digest for doc in docs)
        await conn.execute(self._sql["save_documents"], {**columns, "hashes": hashes})
        if cached and not load:
            await conn.execute(self._sql["copy_cached"], {**columns, "model": model_id})
        return bool(missing)

    async def _compare(
        self, conn: Connection, touched: Touched, keys: Collection[Key], model: Model, model_id: int
    ) -> _Changes:
        wanted = await self._hydrate(conn, touched, model)
        params = {**_columns(keys), "model": model_id}
        rows = await (await conn.execute(self._sql["known"], params)).fetchall()
        known = {(kind, key): (text, embedded) for kind, key, text, embedded in rows}
        return _Changes(
            changed=[doc for key, doc in wanted.items() if known.get(key) != (doc.digest, doc.digest)],
            absent=sorted(key for key in known if key not in wanted),
        )

    async def _hydrate(self, conn: Connection, touched: Touched, model: Model) -> dict[Key, Document]:
        params = {
            "posts": texts(touched.posts),
            "courses": texts(touched.courses),
            "users": texts(touched.users),
            "visibilities": list(self._policy.visibilities),
            "profiles": list(self._policy.profiles),
            "chars": _READ_CHARS,
        }
        rows = await (await conn.execute(self._sql["hydrate"], params, binary=True)).fetchall()
        docs = (document(Kind(kind), key, parts, tags or (), model) for kind, key, parts, tags in rows)
        return {(doc.kind, doc.id): doc for doc in docs if doc is not None}


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection in a transaction.

    Raises:
        Retryable: PostgreSQL is away or busy.
    """
    try:
        async with pool.connection() as conn, conn.transaction():
            yield conn
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL: {error or type(error).__name__}") from error


async def use_model(conn: Connection, model: Model) -> int | None:
    """The id of the model, made known with its tables and indexes; None, and a line in the log, without pgvector."""
    row = await (await conn.execute("SELECT embeddings.install()")).fetchone()
    assert row is not None
    if row[0] is not None:
        log.warning("semantic_features_off", reason=row[0])
        return None
    row = await (
        await conn.execute("SELECT embeddings.use_model(%s, %s)", (model.name, model.dimension))
    ).fetchone()
    assert row is not None
    return int(row[0])


async def mark_interests(conn: Connection, users: Iterable[str], delay: float = INTEREST_DELAY) -> None:
    """Have the interests of these people built again in a moment."""
    if people := sorted(set(users)):
        await conn.execute(_SQL["mark_interests"], {"users": people, "delay": delay})
        await jobs.enqueue(conn, INTERESTS, queue=QUEUE, delay=delay, once=True)


async def _drop_absent_people(conn: Connection, users: Sequence[str]) -> None:
    rows = await (await conn.execute(_SQL["existing_people"], {"users": list(users)})).fetchall()
    if absent := sorted(set(users) - {row[0] for row in rows}):
        await conn.execute(_SQL["drop_marks"], {"users": absent})
        await conn.execute(_SQL["drop_interests"], {"users": absent})


def _columns(keys: Iterable[Key]) -> dict[str, str]:
    pairs = list(keys)
    return {"kinds": texts(kind for kind, _ in pairs), "ids": texts(key for _, key in pairs)}
