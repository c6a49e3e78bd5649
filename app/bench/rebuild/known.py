"""Vectors of every text in the cache, as after months of embedding, without a model: made up around some subjects.

Like those of a model they lie in heaps: where everything is equally far away, an index of nearness is built slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from consumers.embeddings.local import BUNDLED
from consumers.embeddings.schema import Model, Policy, Touched
from consumers.embeddings.store import EmbeddingStore, use_model
from consumers.engine.projection import Batch
from runtime.postgres import Connection, Pool, fetch_rows

#: What a rebuild is for when nothing is set.
_MODEL: Final = Model(BUNDLED, 384)
_SUBJECTS: Final = 200
_AT_A_TIME: Final = 5_000
_HASHES: Final = "SELECT DISTINCT content_hash FROM embeddings.documents"
_COPY: Final = "COPY embeddings.cache (model_id, content_hash, embedding, readable) FROM STDIN"
_FORGET: Final = "TRUNCATE embeddings.documents, embeddings.vectors, embeddings.pending"


async def know_every_text(pool: Pool) -> None:
    """Leave an empty view that serves this model, and the cache full: else it would be a change of model."""
    store = EmbeddingStore(pool, _MODEL, Policy.inside())
    await store.prepare()
    async with pool.connection() as conn:
        posts, courses, users = [await _ids(conn, table) for table in ("posts", "courses", "users")]
    for start in range(0, len(posts), _AT_A_TIME):
        await store.fill(await store.read(Touched(posts=posts[start : start + _AT_A_TIME])))
    await store.fill(await store.read(Touched(courses=courses, users=users)))
    async with pool.connection() as conn:
        model = await use_model(conn, _MODEL)
        hashes = [row[0] for row in await fetch_rows(conn, _HASHES)]
        async with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
            for digest, vector in zip(hashes, _vectors(len(hashes)), strict=True):
                await copy.write_row((model, digest, vector, True))
        await conn.execute(_FORGET)
        await conn.commit()
        await conn.set_autocommit(True)
        await conn.execute("VACUUM ANALYZE embeddings.cache")  # as after months
        await conn.execute("CHECKPOINT")
        await conn.set_autocommit(False)
    await store.write(Touched(), Batch((), "begin", 1, refill=True))


def _vectors(count: int) -> Iterator[str]:
    """As pgvector reads them."""
    generator = np.random.default_rng(1)
    subjects = generator.standard_normal((_SUBJECTS, _MODEL.dimension))
    for _ in range(count):
        vector = subjects[generator.integers(_SUBJECTS)] + generator.standard_normal(_MODEL.dimension)
        yield str(vector.round(2).tolist())


async def _ids(conn: Connection, table: str) -> list[str]:
    return [row[0] for row in await fetch_rows(conn, f"SELECT id FROM {table}")]  # noqa: S608 - our own names
