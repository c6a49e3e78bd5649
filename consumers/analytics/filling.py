"""Filling a generation from the truth: first all facts, then what is counted of them.

Facts come table by table (bulk.py), and while one page is written the next is read; counts stretch by stretch of days
(recount.py).
Every step is one transaction under the checkpoint's row, and says where to go on. Facts that are there already are
passed over. Counts begin when all facts are in: whoever goes on with them clears what he cannot vouch for, and a fact
that comes later is counted by the writer, as ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from consumers.analytics.bulk import SOURCES_OF_FACTS, BulkFacts, Page
from consumers.analytics.layout import Layout
from consumers.analytics.recount import Recount
from consumers.analytics.refresh import refresh_days
from consumers.analytics.schema import Kind, analyze
from consumers.analytics.store import AnalyticsStore
from consumers.engine.checkpoint import Refill
from consumers.engine.log import Log
from consumers.engine.rebuild.shadow import Filled
from consumers.engine.tasks import ahead
from runtime.postgres import Pool

#: Rows of a page: one transaction on either side.
PAGE: Final = 20_000
#: What is counted comes after all tables of the truth, in the order of names too.
_COUNTS: Final = "~roll-ups"


class Filling:
    """One fill of one generation, whose `store` is prepared."""

    def __init__(self, store: AnalyticsStore, pool: Pool, truth: Pool, layout: Layout, kind: Kind) -> None:
        self._store = store
        self._pool = pool
        self._truth = truth
        self._layout = layout
        self._kind = kind
        self._facts = BulkFacts(store, truth, layout)

    async def steps(
        self, topics: frozenset[str], generation: int, after: Refill | None, since: datetime | None
    ) -> AsyncIterator[Filled]:
        """All that is to be done behind `after`; facts from before `since` are left out.

        Raises:
            Retryable, StaleOwner, StoreForgot: as `AnalyticsStore.owned`.
        """
        if after is None or after.source != _COUNTS:
            async with ahead(self._pages(topics, after, since)) as pages:
                async for table, page in pages:
                    await self._facts.write(table, page, generation)
                    yield Filled(Refill(table, page.reached), page.rows)
            after = None
        day = int(after.cursor) if after and after.cursor else 0
        async for until in self._count(generation, day):
            yield Filled(Refill(_COUNTS, str(until)), 0)

    async def _pages(
        self, topics: frozenset[str], after: Refill | None, since: datetime | None
    ) -> AsyncIterator[tuple[str, Page]]:
        for table in await Log(self._truth, topics).truth_sources():
            if table not in SOURCES_OF_FACTS or (after and table < after.source):
                continue
            cursor = after.cursor if after and after.source == table else None
            rows = PAGE
            while rows == PAGE:
                page = await self._facts.read(table, cursor, since, PAGE)
                rows, cursor = page.rows, page.reached
                if rows:
                    yield table, page

    async def _count(self, generation: int, day: int) -> AsyncIterator[int]:
        """From this day on; yields the days up to which everything is counted."""
        counting = Recount(self._layout, self._kind)
        async with self._store.owned(generation) as conn:
            await analyze(conn, self._layout)
            await counting.clear(conn, day)
        while True:
            async with self._store.owned(generation) as conn:
                until = await counting.next_stretch(conn, day)
                if until is None:
                    return
                await counting.count(conn, day, until)
            if self._kind is Kind.COMMUNITY:
                async with self._pool.connection() as conn:
                    await refresh_days(conn, self._layout, day, until)
            yield until
            day = until
