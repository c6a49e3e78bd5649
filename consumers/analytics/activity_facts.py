"""Engagement and school activity: facts, roll-ups and a school's active people, inside the caller's transaction.

These are rarer than views by far, so their touched buckets are simply counted again from the facts. Views are
`view_facts.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from consumers.analytics.facts import Activity, Changes, Engagement
from consumers.analytics.layout import Layout
from consumers.analytics.people import DayOfPeople, Key, Numbers, PeopleSets, mark
from runtime.arrays import integers, texts
from runtime.postgres import Connection, fetch_rows

#: Owner (post or school; None has no bucket), hour, person.
Trace = tuple[str | None, int, str | None]

_ENGAGEMENTS: Final = "engagements"
_ACTIVITIES: Final = "activities"


class ActivityFacts:
    """The tables of engagement and school activity of one generation; `kept`: the roll-ups are tables of ours."""

    def __init__(self, layout: Layout, *, kept: bool) -> None:
        self._grid = layout.grid
        self._sql = layout.statements("activity")
        self._sets = PeopleSets(layout, "school")
        self._kept = kept

    async def write(
        self, conn: Connection, changes: Changes, numbers: Numbers
    ) -> tuple[set[int], dict[str, int]]:
        """Apply the batch's facts. Returns the hours that were touched, and the numbers of its people."""
        engagements = list(changes.engagements.values())
        traces = await self._remove(conn, _ENGAGEMENTS, changes, changes.removed_engagements)
        traces += await self._insert(conn, _ENGAGEMENTS, engagements, [row.post_id for row in engagements])
        await self._recount(conn, _ENGAGEMENTS, traces)
        activities = list(changes.activities.values())
        gone = await self._remove(conn, _ACTIVITIES, changes, changes.removed_activities)
        done = await self._insert(conn, _ACTIVITIES, activities, [row.school_id for row in activities])
        await self._recount(conn, _ACTIVITIES, gone + done)
        people = await self._keep_people(conn, gone, done, numbers)
        return {hour for _, hour, _ in (*traces, *gone, *done)}, people

    async def _remove(
        self, conn: Connection, table: str, changes: Changes, removed: Mapping[str, datetime]
    ) -> list[Trace]:
        traces: list[Trace] = []
        for what, ids in (("posts", changes.deleted_posts), ("users", changes.deleted_users)):
            if ids:
                traces += await fetch_rows(conn, self._sql[f"forget_{what}_{table}"], (list(ids),))
        if removed:
            params = (list(removed), list(removed.values()))
            traces += await fetch_rows(conn, self._sql[f"remove_{table}"], params)
        return traces

    async def _insert(
        self,
        conn: Connection,
        table: str,
        rows: Sequence[Engagement | Activity],
        owners: Sequence[str | None],
    ) -> list[Trace]:
        if not rows:
            return []
        await conn.execute(self._sql[f"insert_{table}"], [list(column) for column in zip(*rows, strict=True)])
        return [
            (owner, self._grid.hour(row.time.timestamp()), row.user_id)
            for owner, row in zip(owners, rows, strict=True)
        ]

    async def _recount(self, conn: Connection, table: str, traces: Iterable[Trace]) -> None:
        touched = {(owner, hour) for owner, hour, _ in traces if owner is not None}
        if touched and self._kept:
            params = {
                "owners": texts(owner for owner, _ in touched),
                "hours": integers(hour for _, hour in touched),
            }
            await conn.execute(self._sql[f"recount_{table}"], params)

    async def _keep_people(
        self, conn: Connection, gone: Collection[Trace], done: Collection[Trace], numbers: Numbers
    ) -> dict[str, int]:
        """Who did something that day at the school. Adding is idempotent; who lost a fact is looked at again."""
        lost = list({((s, self._grid.day(hour)), user) for s, hour, user in gone if s and user})
        marks = {((s, self._grid.day(hour)), hour, user) for s, hour, user in done if s and user}
        marks |= await self._still_there(conn, lost)
        people = await numbers.of(conn, {user for _, _, user in marks} | {user for _, user in lost})
        keys = {key for key, _, _ in marks} | {key for key, _ in lost}
        found = await self._sets.load(conn, list(keys))
        days = {key: found.get(key) or DayOfPeople() for key in keys}
        for key, user in lost:
            days[key].remove(people[user])
        for key, hour, user in marks:
            days[key].add([mark(self._grid.place(hour)[1], people[user])])
        await self._sets.clear(conn, [key for key, day in days.items() if not day.people])
        await self._sets.save(conn, {key: day for key, day in days.items() if day.people})
        return people

    async def _still_there(
        self, conn: Connection, lost: Sequence[tuple[Key, str]]
    ) -> set[tuple[Key, int, str]]:
        if not lost:
            return set()
        params: dict[str, Any] = {
            "owners": texts(owner for (owner, _), _ in lost),
            "days": integers(day for (_, day), _ in lost),
            "ends": integers(self._grid.next_day(day) for (_, day), _ in lost),
            "users": texts(user for _, user in lost),
        }
        rows = await fetch_rows(conn, self._sql["still_there"], params)
        return {(lost[ordinal - 1][0], hour, lost[ordinal - 1][1]) for ordinal, hour in rows}
