"""Facts in bulk: a page of the truth's rows becomes rows of the view in one statement there and one here.

A fill makes millions of facts that are all new, of rows that all stand: there is nothing to fold and nothing to ask. So
the rules of `facts.py` (which time, which source, how long) and `truth.py` (whose school, whose post) are said once
more, as SQL over a whole page (sql/bulk.sql); tests hold the two against each other. Only columns pass through here, as
the text that PostgreSQL gives and takes. What is counted of the facts is `recount.py`'s, afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from consumers.analytics.facts import EARLIEST, LATEST, MAX_DURATION_S, SOURCES
from consumers.analytics.layout import Layout
from consumers.analytics.store import AnalyticsStore
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_rows

#: As an event tells it: to the millisecond. A time that nobody can have meant is the nearest that can be.
_POSSIBLE: Final = f"least(greatest(r.at::timestamptz, '{EARLIEST}'::timestamptz), '{LATEST}'::timestamptz)"
_TIME: Final = f"date_trunc('milliseconds', {_POSSIBLE})"
_COLUMNS: Final = (
    "array_agg(DISTINCT date_trunc('month', time, 'UTC'))",
    *(f"array_agg({name})::text" for name in ("time", "fact_id", "post_id", "user_id", "school_id")),
)
_AGAIN: Final = "ON CONFLICT (time, fact_id) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Source:
    """A table of the truth, and the statements that read and write its facts."""

    read: str
    write: str
    kind: str = ""
    actor: str = "userId"


SOURCES_OF_FACTS: Final = {
    "bookmarks": Source("engagements", "engagements", "bookmark"),
    "comments": Source("engagements", "engagements", "comment", actor="authorId"),
    "likes": Source("engagements", "engagements", "like"),
    "post_views": Source("views", "views"),
    "posts": Source("posts", "activities", "post"),
    "quiz_attempts": Source("attempts", "activities", "quiz"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Facts of `rows` rows of the truth, up to the row `reached`.

    Attributes:
        months: in which they are, each by its first moment; none when there are no facts.
        columns: arrays in text form, in the order of the statement that writes them.
    """

    rows: int
    reached: str | None
    months: Sequence[datetime]
    columns: Sequence[str]


class BulkFacts:
    """Reads facts from the truth and writes them into one generation that is being filled."""

    def __init__(self, store: AnalyticsStore, truth: Pool, layout: Layout) -> None:
        self._store = store
        self._truth = truth
        self._sql = layout.statements("bulk")

    async def read(self, table: str, after: str | None, since: datetime | None, most: int) -> Page:
        """The next facts of a table that are no older than `since`.

        Raises:
            Retryable: the truth is away.
        """
        source = SOURCES_OF_FACTS[table]
        query = self._sql[f"read_{source.read}"].replace("{table}", table).replace("{actor}", source.actor)
        query = query.replace("{time}", _TIME).replace("{columns}", ", ".join(_COLUMNS))
        params: dict[str, Any] = {
            "after": after or "",
            "since": since,
            "most": most,
            "kind": source.kind,
            "sources": list(SOURCES),
            "longest": MAX_DURATION_S,
        }
        try:
            async with self._truth.connection() as conn, conn.transaction():
                await conn.execute(self._sql["as_the_owner_sees"])
                [(rows, reached, months, *columns)] = await fetch_rows(conn, query, params)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL: {error}") from error
        return Page(rows, reached, months or (), columns)

    async def write(self, table: str, page: Page, generation: int) -> None:
        """Put a page in, in one transaction, whether or not it is there already.

        Raises:
            Retryable, StaleOwner, StoreForgot: as `AnalyticsStore.owned`.
        """
        if not page.months:
            return
        statement = self._sql[f"write_{SOURCES_OF_FACTS[table].write}"]
        try:
            await self._write(statement.replace("{again}", ""), page, generation)
        except psycopg.errors.UniqueViolation:  # a fill that was killed had written it
            await self._write(statement.replace("{again}", _AGAIN), page, generation)

    async def _write(self, statement: str, page: Page, generation: int) -> None:
        async with self._store.owned(generation, page.months) as conn:
            await conn.execute(statement, page.columns)
