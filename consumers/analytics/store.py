"""The write side's transactions: a batch of facts, its roll-ups and its checkpoint, in one.

Every table is reached through a `Layout` (layout.py): a store on another layout is another generation of the view,
which is how a rebuild fills one beside the living. Views are `view_facts.py`'s, the rest `activity_facts.py`'s; reading
is `view.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Final, NoReturn

import psycopg

from consumers.analytics.activity_facts import ActivityFacts
from consumers.analytics.facts import Changes
from consumers.analytics.layout import Layout
from consumers.analytics.people import Numbers
from consumers.analytics.refresh import LateBuckets
from consumers.analytics.schema import Kind, empty, ensure_months, install, month_of
from consumers.analytics.standing import standing
from consumers.analytics.truth import TruthReader
from consumers.analytics.view_facts import ViewFacts
from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_rows

#: After a batch with facts that were there already, so many batches are looked at first (replays come in runs).
_CAREFUL_BATCHES: Final = 20


#: Somebody has dropped the tables.
_GONE: Final = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)


@contextmanager
def _translated() -> Iterator[None]:
    """What PostgreSQL says, as the engine knows it."""
    try:
        yield
    except _GONE as error:
        raise StoreForgot(f"analytics tables are gone: {error}") from error
    except TRANSIENT as error:
        raise Retryable(f"analytics database: {error}") from error


class AnalyticsStore:
    """The time-series database (which may be the truth's own) and the truth, for one writer."""

    def __init__(self, pool: Pool, truth: Pool, layout: Layout | None = None) -> None:
        self._pool = pool
        self._layout = layout or Layout()
        self._sql = self._layout.statements("store")
        self._truth = truth
        self._known = TruthReader(truth, self._sql["truth"])
        self._numbers = Numbers(self._layout)
        self._late = LateBuckets(self._layout)
        self._kind = Kind.ABSENT
        self._months: set[tuple[int, int]] = set()
        self._careful = 0
        self._set_up(Kind.ABSENT, can_copy=True)

    async def prepare(self) -> Kind:
        """Install the tables.

        Raises:
            Retryable: the database is away, or somebody drops the tables just now.
        """
        try:
            async with self._pool.connection() as conn:
                kind = await install(conn, self._layout)
                [(webassembly,)] = await fetch_rows(conn, self._sql["is_webassembly"])
        except _GONE as error:
            raise Retryable(f"analytics tables have just been dropped: {error}") from error
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        self._set_up(kind, can_copy=not webassembly)
        return kind

    async def read_checkpoint(self) -> str | None:
        """The stored checkpoint, None when there is none."""
        try:
            async with self._pool.connection() as conn:
                rows = await fetch_rows(conn, self._sql["read_checkpoint"])
        except _GONE:
            return None
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        return rows[0][0] if rows else None

    async def clear(self, generation: int) -> None:
        """Empty all tables but the checkpoint's, in one transaction.

        Raises:
            Retryable, StaleOwner, StoreForgot: as `write`.
        """
        async with self.owned(generation) as conn:
            kept = await fetch_rows(conn, self._sql["kept"])
            await empty(conn, self._layout, self._kind)  # whose trigger forgets the checkpoint
            await conn.execute(self._sql["restore"], kept[0])
        await self.prepare()

    @asynccontextmanager
    async def owned(self, generation: int, months: Iterable[datetime] = ()) -> AsyncIterator[Connection]:
        """A transaction of the owner beside its batches: nobody else writes until it ends.

        `months` are the times of facts that are to be written.

        Raises:
            Retryable, StaleOwner, StoreForgot: as `write`.
        """
        with _translated():
            async with self._pool.connection() as conn:
                async with conn.transaction():
                    if not (await conn.execute(self._sql["claim"], {"generation": generation})).rowcount:
                        await self._refuse(conn, generation)
                    missing = await self._begin(conn, months)
                    yield conn
                self._months |= missing

    async def write(self, changes: Changes, batch: Batch) -> None:
        """Apply a batch's net changes and its checkpoint in one transaction.

        Raises:
            Retryable: a database is away.
            StaleOwner: a newer owner has written here.
            StoreForgot: the tables or the checkpoint are gone.
        """
        with _translated():
            if batch.replayed:
                changes = await standing(self._truth, changes)
            truth = await self._known.read(changes, batch)
            complete = truth.complete(changes, self._layout.oldest())
            try:
                await self._write(complete, batch, careful=self._careful > 0)
                self._careful = max(self._careful - 1, 0)
            except psycopg.errors.UniqueViolation:
                self._careful = _CAREFUL_BATCHES
                await self._write(complete, batch, careful=True)
            await self._refresh_late(idle=not batch.events)

    async def _write(self, changes: Changes, batch: Batch, *, careful: bool) -> None:
        async with self._pool.connection() as conn, conn.transaction():
            await self._save_checkpoint(conn, batch)
            tables = (changes.views, changes.engagements, changes.activities)
            months = await self._begin(conn, (row[0] for rows in tables for row in rows.values()))
            touched, viewers = await self._views.write(conn, changes, self._numbers, careful=careful)
            active_hours, active = await self._activity.write(conn, changes, self._numbers)
            if changes.deleted_users:
                await conn.execute(self._sql["erase_person"], (list(changes.deleted_users),))
        self._months |= months
        self._numbers.remember({**viewers, **active}, but=changes.deleted_users)
        if self._kind is Kind.COMMUNITY:
            self._late.touch(touched | active_hours)

    def _set_up(self, kind: Kind, *, can_copy: bool) -> None:
        kept = kind is not Kind.COMMUNITY
        self._kind = kind
        self._views = ViewFacts(self._layout, kept=kept, can_copy=can_copy)
        self._activity = ActivityFacts(self._layout, kept=kept)
        self._months.clear()
        self._numbers.forget()
        self._known.forget()

    async def _save_checkpoint(self, conn: Connection, batch: Batch) -> None:
        begins = batch.refill and batch.expects is None
        params = {
            "generation": batch.generation,
            "checkpoint": batch.checkpoint,
            "expects": batch.expects,
        }
        statement = "first_checkpoint" if begins else "next_checkpoint"
        if not (await conn.execute(self._sql[statement], params)).rowcount:
            await self._refuse(conn, batch.generation)

    async def _refuse(self, conn: Connection, generation: int) -> NoReturn:
        if await fetch_rows(conn, self._sql["newer_owner"], {"generation": generation}):
            raise StaleOwner
        raise StoreForgot("the analytics tables do not hold the checkpoint that they were given")

    async def _begin(self, conn: Connection, times: Iterable[datetime]) -> set[tuple[int, int]]:
        """Make what facts of these times need; returns the months, which are known once the transaction is through."""
        if self._kind is Kind.COMMUNITY:
            await conn.execute(self._sql["without_limit"])
        if self._kind is not Kind.ABSENT:
            return set()
        missing = {month_of(time) for time in times} - self._months
        if missing:
            await ensure_months(conn, self._layout, sorted(missing))
        return missing

    async def _refresh_late(self, *, idle: bool) -> None:
        if self._late.due(idle=idle):
            async with self._pool.connection() as conn:
                await self._late.refresh(conn)
