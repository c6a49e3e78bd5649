"""The write side's SQL: a batch of facts in a handful of round trips, one transaction, checkpoint included.

Facts go in under their unique key; the roll-up buckets that a batch touches are counted again from the facts, so a
late, repeated or removed fact corrects exactly its own bucket. Reading is `view.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg

from consumers.analytics.facts import Activity, Changes, Engagement, View
from consumers.analytics.schema import Kind, ensure_months, install, month_of
from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "write.sql")
_FORGET_POSTS: Final = (
    "forget_post_views",
    "forget_post_views_hourly",
    "forget_engagements",
    "forget_engagements_hourly",
)

Bucket = tuple[str | None, datetime]


@dataclass(frozen=True, slots=True)
class Truth:
    """What the facts of one batch need to know of the truth."""

    posts: frozenset[str]
    schools: dict[str, str | None]

    def complete(self, changes: Changes) -> Changes:
        """Drop facts of posts that are gone (also those that arrive late), blank deleted people, add schools."""
        return replace(
            changes,
            views={
                key: replace(
                    view,
                    viewer_id=view.viewer_id if view.viewer_id in self.schools else None,
                    school_id=view.school_id or self.schools.get(view.viewer_id or ""),
                )
                for key, view in changes.views.items()
                if view.post_id in self.posts
            },
            engagements={
                key: replace(row, school_id=row.school_id or self.schools.get(row.user_id))
                for key, row in changes.engagements.items()
                if row.post_id in self.posts and row.user_id in self.schools
            },
            activities={
                key: replace(row, school_id=row.school_id or self.schools.get(row.user_id))
                for key, row in changes.activities.items()
                if (row.post_id is None or row.post_id in self.posts) and row.user_id in self.schools
            },
        )


class AnalyticsStore:
    """The time-series database (which may be the truth's own) and the truth, for one writer."""

    def __init__(self, pool: Pool, truth: Pool) -> None:
        self._pool = pool
        self._truth = truth
        self._kind = Kind.ABSENT
        self._months: set[tuple[int, int]] = set()

    async def prepare(self) -> Kind:
        """Install the tables.

        Raises:
            Retryable: the database is away.
        """
        try:
            async with self._pool.connection() as conn:
                self._kind = await install(conn)
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        self._months.clear()
        return self._kind

    async def read_checkpoint(self) -> str | None:
        """The stored checkpoint, None when there is none."""
        try:
            async with self._pool.connection() as conn:
                rows = await fetch_rows(conn, "SELECT checkpoint FROM analytics.checkpoint")
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        return rows[0][0] if rows else None

    async def write(self, changes: Changes, batch: Batch) -> None:
        """Apply a batch's net changes and its checkpoint in one transaction.

        Raises:
            Retryable: a database is away.
            StaleOwner: a newer owner has written here.
            StoreForgot: the tables or the checkpoint are gone.
        """
        try:
            complete = (await self._read_truth(changes, batch)).complete(changes)
            async with self._pool.connection() as conn, conn.transaction():
                await _save_checkpoint(conn, batch)
                await self._ensure_partitions(conn, complete)
                await _write_views(conn, complete)
                await _write_engagements(conn, complete)
                await _write_activities(conn, complete)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise StoreForgot(f"analytics tables are gone: {error}") from error
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error

    async def _read_truth(self, changes: Changes, batch: Batch) -> Truth:
        posts, users = changes.post_ids(), changes.user_ids()
        if not posts and not users:
            return Truth(frozenset(), {})
        async with self._truth.connection() as conn:
            await wait_until_visible(conn, batch.events)  # or a post just written would count as deleted
            [(alive, schools)] = await fetch_rows(conn, _SQL["truth"], {"posts": posts, "users": users})
        return Truth(frozenset(alive), schools or {})

    async def _ensure_partitions(self, conn: Connection, changes: Changes) -> None:
        if self._kind is not Kind.ABSENT:
            return
        rows: list[View | Engagement | Activity] = [
            *changes.views.values(),
            *changes.engagements.values(),
            *changes.activities.values(),
        ]
        missing = {month_of(row.time) for row in rows} - self._months
        if missing:
            await ensure_months(conn, sorted(missing))
            self._months |= missing


async def _save_checkpoint(conn: Connection, batch: Batch) -> None:
    begins = batch.refill and batch.expects is None
    params = {
        "generation": batch.generation,
        "checkpoint": batch.checkpoint,
        "expects": batch.expects,
    }
    if (await conn.execute(_SQL["first_checkpoint" if begins else "next_checkpoint"], params)).rowcount:
        return
    if await fetch_rows(conn, _SQL["newer_owner"], params):
        raise StaleOwner
    raise StoreForgot("the analytics tables do not hold the checkpoint that they were given")


async def _write_views(conn: Connection, changes: Changes) -> None:
    for statement in _FORGET_POSTS if changes.deleted_posts else ():
        await conn.execute(_SQL[statement], (list(changes.deleted_posts),))
    buckets = await _forget(conn, "forget_viewers", changes.deleted_users)
    buckets += await _remove(conn, "remove_views", changes.removed_views)
    rows = list(changes.views.values())
    if rows:
        columns = ("time", "fact_id", "post_id", "viewer_id", "school_id", "source", "duration_s", "weight")
        await conn.execute(_SQL["insert_views"], _columns(rows, columns))
    buckets += [(row.post_id, _hour(row.time)) for row in rows]
    await _recount(conn, "recount_views", "posts", buckets)


async def _write_engagements(conn: Connection, changes: Changes) -> None:
    buckets = await _forget(conn, "forget_user_engagements", changes.deleted_users)
    buckets += await _remove(conn, "remove_engagements", changes.removed_engagements)
    rows = list(changes.engagements.values())
    if rows:
        columns = ("time", "fact_id", "post_id", "user_id", "school_id", "kind")
        await conn.execute(_SQL["insert_engagements"], _columns(rows, columns))
    buckets += [(row.post_id, _hour(row.time)) for row in rows]
    await _recount(conn, "recount_engagements", "posts", buckets)


async def _write_activities(conn: Connection, changes: Changes) -> None:
    buckets = await _forget(conn, "forget_post_activities", changes.deleted_posts)
    buckets += await _forget(conn, "forget_user_activities", changes.deleted_users)
    buckets += await _remove(conn, "remove_activities", changes.removed_activities)
    rows = list(changes.activities.values())
    if rows:
        columns = ("time", "fact_id", "school_id", "user_id", "post_id", "kind")
        await conn.execute(_SQL["insert_activities"], _columns(rows, columns))
    buckets += [(row.school_id, _hour(row.time)) for row in rows]
    await _recount(conn, "recount_activities", "schools", buckets)


async def _forget(conn: Connection, statement: str, ids: Collection[str]) -> list[Bucket]:
    return await fetch_rows(conn, _SQL[statement], (list(ids),)) if ids else []


async def _remove(conn: Connection, statement: str, facts: Mapping[str, datetime]) -> list[Bucket]:
    return await fetch_rows(conn, _SQL[statement], (list(facts), list(facts.values()))) if facts else []


async def _recount(conn: Connection, statement: str, owners: str, buckets: Collection[Bucket]) -> None:
    touched = list(set(buckets))
    if touched:
        params = {owners: [owner for owner, _ in touched], "hours": [hour for _, hour in touched]}
        await conn.execute(_SQL[statement], params)


def _hour(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _columns(rows: Sequence[object], names: Sequence[str]) -> list[list[Any]]:
    """Rows as one array per column, the shape that `unnest` takes."""
    return [[getattr(row, name) for row in rows] for name in names]
