"""Embeddings: which text stands behind which thing. The vectors are the worker's, and queued texts may be left over."""

from __future__ import annotations

from runtime.postgres import fetch_rows
from tests.conformance import schema_copy
from tests.conformance.harness import Content, Stores


class EmbeddingsHarness:
    """Looks at the tables of schema `embeddings`."""

    name = "embeddings"

    async def content(self, stores: Stores) -> Content:
        """Hash of the text by thing; every text must be queued or have its vector."""
        async with stores.pool.connection() as conn:
            rows = await (
                await conn.execute(
                    """SELECT d.kind, d.id, encode(d.content_hash, 'hex'),
                              EXISTS (SELECT FROM embeddings.pending p WHERE p.content_hash = d.content_hash)
                         FROM embeddings.documents d"""
                )
            ).fetchall()
        return {f"{kind}/{key}": {"text": digest, "queued": queued} for kind, key, digest, queued in rows}

    async def wipe(self, stores: Stores) -> None:
        """Empty every table."""
        async with stores.pool.connection() as conn:
            await conn.execute("SELECT embeddings.forget()")

    async def lose_checkpoint(self, stores: Stores) -> None:
        """Delete its row."""
        async with stores.pool.connection() as conn:
            await conn.execute("DELETE FROM embeddings.checkpoint")

    async def checkpoint(self, stores: Stores) -> str | None:
        """The one row, if the table is there."""
        async with stores.pool.connection() as conn:
            [(there,)] = await fetch_rows(conn, "SELECT to_regclass('embeddings.checkpoint') IS NOT NULL")
            rows = await fetch_rows(conn, "SELECT checkpoint FROM embeddings.checkpoint") if there else []
        return rows[0][0] if rows else None

    async def back_up(self, stores: Stores) -> list[str]:
        """Tables beside the tables."""
        return await schema_copy.back_up(stores.pool, "embeddings")

    async def put_back(self, stores: Stores, copy: list[str]) -> None:
        """In one transaction."""
        await schema_copy.put_back(stores.pool, "embeddings", copy)
