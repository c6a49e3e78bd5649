"""Comparing the time series with the truth: every fact, and every roll-up with the facts that it adds up.

Facts are compared with the rows of the truth, roll-ups with the facts beside them, in one statement. What differs is
mended by the day: all that the view has of one post's (or school's) day is taken out under the writers' lock, and the
view's consumer is given that day's facts anew, as the truth has them. Sets of people go and come with their day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import psycopg

from consumers.analytics.layout import LIVING, Layout
from consumers.engine.comparison import BUCKET_SQL, Item, Selection, compare_sides, digest_of
from consumers.engine.pace import Pace
from consumers.engine.passing import Passing
from consumers.engine.repair.requests import Request, ask
from consumers.engine.verification import Differences, Fault, Key, Look, Settle, Wrong, confirm
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_dicts, open_pool
from runtime.settings import Settings

Row = dict[str, Any]

_FACTS: Final = ("views", "engagement", "activity")
#: Of what kind the days are that a part belongs to.
_WHAT: Final = {
    "post_views_hourly": "view",
    "post_views_daily": "view",
    "engagement_hourly": "engagement",
    "school_activity_hourly": "activity",
}
_PAGE: Final = 10_000
_SEPARATOR: Final = "|"
_PLACES: Final = {
    "{CHOSEN}": "(%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[])) AND "
    f"(%(buckets)s::int[] IS NULL OR {BUCKET_SQL.format('p.id')} = ANY (%(buckets)s::int[]))",
    "{KEPT}": "(%(since)s::timestamptz IS NULL OR p.at >= %(since)s::timestamptz AT TIME ZONE 'UTC')",
    "{HELD_KEPT}": "(%(since)s::timestamptz IS NULL OR p.time >= %(since)s::timestamptz)",
    # What a broken clock has written is the nearest time that can be.
    "{TRUE_TIME}": "round(extract(epoch FROM least(greatest(p.at, '2015-01-01'), '2099-12-31')) * 1000)::bigint",
    "{HELD_TIME}": "round(extract(epoch FROM p.time) * 1000)::bigint",
}


class AnalyticsVerifier:
    """Schema `analytics` against post_views, likes, comments, bookmarks, posts and quiz_attempts."""

    name: ClassVar[str] = "analytics"

    def __init__(self, analytics: Pool, truth: Pool, pace: Pace) -> None:
        self._analytics = analytics
        self._truth = truth
        self._pace = pace

    async def compare(self, target: str | None = None, *, settle: Settle | None = None) -> Differences:
        """See `Verifier`. A target is the schema of another generation."""

        async def look(only: Collection[Key] | None) -> Look:
            return await _Comparison(
                self._analytics, self._truth, self._pace, *await self._layout(target)
            ).look(only)

        return await confirm(self.name, look, settle or Passing(self._truth, self.name))

    async def repair(self, differences: Differences) -> int:
        """See `Verifier`."""
        layout, kind = await self._layout(None)
        sql = _statements(layout)
        keys = differences.every()
        facts = [key.id for key in keys if key.part in _FACTS]
        buckets = [(_WHAT[key.part], *key.id.split(_SEPARATOR)[:2]) for key in keys if key.part in _WHAT]
        named = {
            name: [bucket[place] for bucket in buckets]
            for place, name in enumerate(("whats", "owners", "buckets"))
        }
        try:
            async with self._analytics.connection() as conn:
                await conn.execute(sql["lock"])
                days = await fetch_dicts(conn, sql["days"], {"facts": facts, **named})
                lists = {f"{name}s": [day[name] for day in days] for name in ("what", "owner", "day")}
                taken = {row["fact_id"] for row in await fetch_dicts(conn, sql["take_days"], lists)}
                if kind != "community":
                    await conn.execute(sql["take_buckets"], lists)
            async with self._truth.connection() as conn:
                params = {"facts": sorted(taken.union(facts))}
                anew = await fetch_dicts(conn, sql["facts_of_truth"], params)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        requests = [Request(row["topic"], row["type"], row["key"], row["data"]) for row in anew]
        await ask(self._truth, self.name, requests)
        return len(keys)

    async def _layout(self, target: str | None) -> tuple[Layout, str | None]:
        """How the tables were made; no kind when there are none."""
        layout = Layout(target or LIVING)
        try:
            async with self._analytics.connection() as conn:
                [made] = await fetch_dicts(conn, _statements(layout)["settings"])
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, ValueError):
            return layout, None
        except TRANSIENT as error:
            raise Retryable(f"the analytics database is away: {error}") from error
        return Layout(layout.schema, ZoneInfo(made["zone"]), made["retention_days"]), made["kind"]


class _Comparison:
    """One look at one generation."""

    def __init__(self, analytics: Pool, truth: Pool, pace: Pace, layout: Layout, kind: str | None) -> None:
        self._analytics = analytics
        self._truth = truth
        self._pace = pace
        self._sql = _statements(layout)
        self._lost = kind is None
        self._since = layout.oldest()

    async def look(self, only: Collection[Key] | None) -> Look:
        try:
            found = Look()
            for part in _FACTS:
                wanted = partial(self._pages, self._truth, f"wanted_{part}")
                held = partial(self._pages, self._analytics, f"held_{part}")
                seen = await compare_sides(part, wanted, _nothing if self._lost else held, only)
                found.add(seen)
            if not self._lost:
                found.add(await self._rollups(only))
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        return found

    async def _pages(self, pool: Pool, name: str, selection: Selection) -> AsyncIterator[Iterable[Item]]:
        """The truth's rows by their ids, the view's facts by time and id, as they lie."""
        after: str | None = ""
        at: datetime | str = "-infinity"
        while after is not None:
            params = {**selection.params(), "at": at, "after": after, "most": _PAGE, "since": self._since}
            async with pool.connection() as conn:
                rows = await (await conn.execute(self._sql[name], params)).fetchall()
            await self._pace.spend(len(rows))
            yield [(row[0], row[1]) for row in rows]
            after, _, at = (*rows[-1], at)[:3] if len(rows) == _PAGE else (None, 0, at)

    async def _rollups(self, only: Collection[Key] | None) -> Look:
        if only is not None and not any(key.part in _WHAT for key in only):
            return Look()
        async with self._analytics.connection() as conn:
            rows = await fetch_dicts(conn, self._sql["rollups"])
        faults = {}
        for row in rows:
            if row["part"] is not None:
                key = Key(
                    row["part"], _SEPARATOR.join((row["owner"], row["bucket"].isoformat(), row["kind"]))
                )
                faults[key] = Fault(_how(row), digest_of(row["wanted"]))
        return Look(rows[0]["compared"], {key: faults[key] for key in faults if only is None or key in only})


@asynccontextmanager
async def verifier(settings: Settings, pool: Pool, pace: Pace) -> AsyncIterator[AnalyticsVerifier]:
    """The verifier of the time series of these settings."""
    async with open_pool(settings.analytics_url, max_size=4, name="stunity-verify") as analytics:
        yield AnalyticsVerifier(analytics, pool, pace)


def _statements(layout: Layout) -> dict[str, str]:
    statements = layout.statements("verification")
    for place, text in _PLACES.items():
        statements = {name: statement.replace(place, text) for name, statement in statements.items()}
    return statements


async def _nothing(selection: Selection) -> AsyncIterator[Iterable[Item]]:
    """The side of a view that is lost."""
    yield ()


def _how(row: Row) -> Wrong:
    if row["held"] is None:
        return Wrong.MISSING
    return Wrong.EXTRA if row["wanted"] is None else Wrong.STALE
