"""The read side's other half: views of days that are not busy (busy.py), counted from their few facts.

How many facts that can be is bounded by the length of the window, not by the post: a day with more of them is busy, and
is read from its sums and its set (`view.py`, `view_many.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pyroaring import BitMap

from consumers.analytics.grid import Grid
from consumers.analytics.layout import Layout
from consumers.analytics.series import Bucket, Window
from runtime.arrays import integers, texts
from runtime.postgres import Connection, fetch_rows

#: People without a number (they are in no set) are given one from here for the time of an answer.
_NAMELESS: Final = 1 << 30

#: A post and a stretch of time, in seconds since 1970.
Span = tuple[str, int, int]


class QuietBucket(NamedTuple):
    """What quiet facts of a post amount to in one bucket."""

    post: str
    start: datetime
    views: int
    seconds: int
    timed: int
    by_source: Sequence[int]
    people: frozenset[str]


class QuietDays:
    """Counts facts of one generation."""

    def __init__(self, layout: Layout) -> None:
        self._sql = layout.statements("quiet")

    async def count(self, conn: Connection, spans: Collection[Span], bucket: Bucket) -> list[QuietBucket]:
        """The facts in these spans, by post and bucket."""
        if not spans:
            return []
        rows = await fetch_rows(conn, self._sql[f"by_{bucket.value}"], _params(spans))
        return [
            QuietBucket(post, start, views, seconds, timed, sources, frozenset(people or ()))
            for post, start, views, seconds, timed, people, *sources in rows
        ]

    async def numbers(self, conn: Connection, people: Collection[str]) -> dict[str, int]:
        """By which these people are known in the sets; who is in none of them gets another number."""
        if not people:
            return {}
        known: dict[str, int] = dict(await fetch_rows(conn, self._sql["numbers"], {"users": texts(people)}))
        return {user: known.get(user, _NAMELESS + place) for place, user in enumerate(people)}

    async def union(self, conn: Connection, sets: Sequence[BitMap], people: Collection[str]) -> int:
        """How many different people there are in sets and among these names."""
        merged = BitMap.union(*sets) if sets else BitMap()
        if not merged:
            return len(people)
        merged.update((await self.numbers(conn, people)).values())
        return len(merged)


def spans_between(grid: Grid, window: Window, busy: Iterable[int]) -> list[tuple[int, int]]:
    """What is left of a window without these days."""
    begin, until = int(window.since.timestamp()), int(window.until.timestamp())
    spans = []
    for day in sorted(busy):
        if day > begin:
            spans.append((begin, day))
        begin = max(begin, grid.next_day(day))
    return [*spans, (begin, until)] if begin < until else spans


def _params(spans: Collection[Span]) -> dict[str, Any]:
    return {
        "posts": texts(post for post, _, _ in spans),
        "begins": integers(begin for _, begin, _ in spans),
        "ends": integers(end for _, _, end in spans),
    }
