"""Rebuilding the time series: another generation in a schema of its own, exchanged by renaming, in one transaction.

A fill (filling.py) takes facts from the truth in bulk, and counts them once when all are in. From the log
(`--from-log`) nothing is left to do here: the engine applies it.

Renaming schemas stops nobody for long: a reader's transaction sees the one generation or the other, both whole, for the
renaming waits for those who have begun to read (`made`, which all of them read first). Every writing
transaction begins with the checkpoint's row, so the switch, which has written that row last, is past all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from psycopg import sql

from consumers.analytics import schema
from consumers.analytics.filling import Filling
from consumers.analytics.layout import LIVING, Layout
from consumers.analytics.projection import VIEW, AnalyticsProjection
from consumers.analytics.store import AnalyticsStore
from consumers.engine.checkpoint import Refill
from consumers.engine.rebuild.grants import copy_grants
from consumers.engine.rebuild.room import postgres_room
from consumers.engine.rebuild.shadow import Filled, Moved, Need, Sides, shadow_name
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_rows

_LOCK_TIMEOUT: Final = "2s"


class AnalyticsShadows:
    """See `Shadows`. `pool` is the time-series database, which may be the truth's own."""

    view: Final = VIEW

    def __init__(self, pool: Pool, truth: Pool, layout: Layout | None = None) -> None:
        self._pool = pool
        self._truth = truth
        self._layout = layout or Layout()
        self._counts = self._layout.statements("rebuild")
        self._analyzed: set[int] = set()

    def projection(self, number: int) -> AnalyticsProjection:
        """The write side of a shadow."""
        store = AnalyticsStore(self._pool, self._truth, self._shadow(number))
        return AnalyticsProjection(store, shadow_name(VIEW, number))

    async def fence(self, generation: int) -> None:
        """By the checkpoint's row."""
        async with _transaction(self._pool) as conn:
            if await fetch_rows(conn, "SELECT FROM pg_tables WHERE schemaname = %s", (LIVING,)):
                await conn.execute(self._counts["fence"], {"generation": generation})

    async def target(self, number: int) -> str:
        """The schema of the generation."""
        return self._shadow(number).schema

    async def needs(self) -> Sequence[Need]:
        """The living tables once more."""
        async with _transaction(self._pool) as conn:
            return [
                await postgres_room(
                    conn, [f"{LIVING}.{table}" for table in (*schema.RELATIONS, *schema.KEPT)]
                )
            ]

    async def rows(self) -> int:
        """All rows that are facts."""
        async with _transaction(self._truth) as conn:
            [(rows,)] = await fetch_rows(conn, self._counts["rows"])
        return int(rows)

    async def fill(self, number: int, generation: int, after: Refill | None) -> AsyncIterator[Filled]:
        """See `Shadows`; what is done in which order tells filling.py."""
        layout = self._shadow(number)
        store = AnalyticsStore(self._pool, self._truth, layout)
        kind = await store.prepare()
        filling = Filling(store, self._pool, self._truth, layout, kind)
        async for step in filling.steps(AnalyticsProjection.topics, generation, after, layout.oldest()):
            yield step
        self._analyzed.add(number)

    async def complete(self, number: int) -> None:
        """Let the planner know what is there, if a fill has not."""
        if number in self._analyzed:
            return
        async with _transaction(self._pool) as conn:
            await schema.analyze(conn, self._shadow(number))

    async def accompany(self, number: int, stop: asyncio.Event) -> None:
        """Nothing."""

    async def finish_off(self, number: int) -> bool:
        """Nothing."""
        return False

    async def counts(self, number: int) -> Mapping[str, int]:
        """Facts by table."""
        async with _transaction(self._pool) as conn:
            rows = await fetch_rows(conn, self._shadow(number).statements("rebuild")["held"])
        return dict(rows)

    async def expected(self, number: int) -> Mapping[str, int]:
        """Facts that the truth has, but for those that are too old to be kept."""
        since = self._layout.oldest() or datetime(1970, 1, 1, tzinfo=UTC)
        async with _transaction(self._truth) as conn:
            rows = await fetch_rows(conn, self._counts["wanted"], {"since": since})
        return dict(rows)

    async def sides(self, number: int) -> Sides | None:
        """The numbers by which PostgreSQL knows the schemas, whatever they are called."""
        async with _transaction(self._pool) as conn:
            serving, shadow = await self._sides(conn, number)
        return Sides(serving, shadow) if shadow else None

    async def exchange(self, number: int, sides: Sides) -> None:
        """Rename both schemas, in one transaction."""
        name = self._shadow(number).schema
        async with _transaction(self._pool) as conn:
            await conn.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
            serving, shadow = await self._sides(conn, number)
            if serving == sides.shadow:
                return
            if (serving, shadow) != (sides.serving, sides.shadow):
                raise Moved("other schemas stand under the names")
            former = f"{name}_former"
            if serving is None:
                await _rename(conn, name, LIVING)
                return
            await conn.execute(self._counts["keep_readers_out"])
            await copy_grants(conn, LIVING, name)
            await schema.exchange(conn, name, former)
            await _rename(conn, former, name)

    async def drop(self, number: int) -> None:
        """Drop the shadow's tables and schema."""
        layout = self._shadow(number)
        async with _transaction(self._pool) as conn:
            if await fetch_rows(conn, "SELECT FROM pg_namespace WHERE nspname = %s", (layout.schema,)):
                await schema.drop(conn, layout)
                await conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(layout.schema)))

    def _shadow(self, number: int) -> Layout:
        return Layout(f"{LIVING}_r{number}", self._layout.zone, self._layout.retention_days)

    async def _sides(self, conn: Connection, number: int) -> tuple[str | None, str | None]:
        query = "SELECT to_regnamespace(%s)::oid::text, to_regnamespace(%s)::oid::text"
        [(serving, shadow)] = await fetch_rows(conn, query, (LIVING, self._shadow(number).schema))
        return serving, shadow


async def _rename(conn: Connection, old: str, new: str) -> None:
    names = sql.Identifier(old), sql.Identifier(new)
    await conn.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(*names))


@asynccontextmanager
async def _transaction(pool: Pool) -> AsyncIterator[Connection]:
    try:
        async with pool.connection() as conn, conn.transaction():
            yield conn
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL: {error}") from error
