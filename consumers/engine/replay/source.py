"""Archive and table as one log: pages of a replay's events, day by day, with a cursor that survives a crash.

A page looks at a bounded stretch of ids, not at as many rows as it takes to find some: the search for one key must not
hold up the view's live events. Applying pages is `process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, Final

from consumers.engine.log import Log
from consumers.engine.replay.request import Cursor, Range, Replay
from runtime.errors import ConfigurationError
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load
from schemas.archive import Archive
from schemas.envelope import Event
from schemas.registry import REGISTRY
from schemas.topics import FACT_TOPICS

_SQL: Final = load(Path(__file__).parents[1] / "sql" / "replay.sql")

#: Most events of one page, and the ids that a page looks at: at first, at most, and how long that may take.
PAGE: Final = 200
_FIRST_WINDOW: Final = 2000
_LARGEST_WINDOW: Final = 200_000
_QUICK: Final = 0.01
_SLOW: Final = 0.05


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the log and where its events are: in the table, in a file, or (neither) nowhere any more."""

    day: date
    attached: bool
    path: str | None
    rows: int | None

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.day, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment of the next."""
        return self.start + timedelta(days=1)


class Source:
    """One replay's pages. Every method raises Retryable when PostgreSQL or the archive is away."""

    def __init__(self, log: Log, archive: Archive | None, replay: Replay, cursor: Cursor) -> None:
        self._log = log
        self._archive = archive
        self._replay = replay
        self._window = _FIRST_WINDOW
        self._file: Iterator[list[Event]] = iter(())
        self._read: list[Event] = []
        self._open: tuple[str, int] | None = None
        self.cursor = cursor

    async def page(self) -> list[Event] | None:
        """The next events, perhaps none of this stretch; None when the range is done."""
        day = await self._day()
        if day is None:
            return None
        if not self.cursor.table:
            if day.path is not None and FACT_TOPICS.intersection(self._replay.topics):
                return await self._file_page(day)
            if day.path is None and not day.attached:
                self.cursor.skipped.append(self.cursor.day)
            self.cursor.table, self.cursor.after = True, 0
        return await self._table_page(day)

    async def _day(self) -> Day | None:
        """The day that the cursor stands in; asked anew each time, because retention goes on meanwhile."""
        async with self._log.connection() as conn:
            days = await days_of(conn, self._replay.bounds)
        here = next((day for day in days if day.day.isoformat() >= self.cursor.day), None)
        if here is not None and here.day.isoformat() != self.cursor.day:
            self.cursor.begin(here.day)
        elif here is not None and self.cursor.table and here.path and not self.cursor.filed:
            self.cursor.table = False  # it left the table while it was being read: go on behind the same id
        return here

    async def _table_page(self, day: Day) -> list[Event]:
        started = monotonic()
        bounds = {"day": day.start, "next": day.end}
        after = max(self.cursor.after, self._replay.bounds.from_id - 1)
        async with self._log.connection() as conn:
            [(top,)] = await fetch_rows(conn, _SQL["top"], bounds)
            [(first,)] = await fetch_rows(conn, _SQL["bottom"], bounds)
            after = max(after, first - 1)
            window = after + self._window
            params = {**self._replay.params(), **bounds, "after": after, "window": window, "max": PAGE}
            rows = await fetch_rows(conn, _SQL["page"], params)
        self._adapt(monotonic() - started)
        self.cursor.after = rows[-1][0] if len(rows) == PAGE else window
        if self.cursor.after >= min(top, self._replay.bounds.to_id):
            self._end_day(day)
        return [REGISTRY.upcast(Event(*row)) for row in rows]

    async def _file_page(self, day: Day) -> list[Event]:
        assert day.path is not None  # asked before
        if self._archive is None:
            raise ConfigurationError("a part of the log is archived: set ARCHIVE_URL for this process")
        if self._open != (day.path, self.cursor.after):
            self._file = self._archive.groups(day.path, self.cursor.after)
            self._read = []
        if not self._read:
            self._read = await asyncio.to_thread(next, self._file, [])
        part, self._read = self._read[:PAGE], self._read[PAGE:]
        if not part:
            self.cursor.table, self.cursor.after, self.cursor.filed = True, 0, True
            return []
        self.cursor.after = part[-1].id
        self._open = day.path, self.cursor.after
        return [REGISTRY.upcast(event) for event in part if wanted(self._replay, event)]

    def _end_day(self, day: Day) -> None:
        self.cursor.begin(day.day + timedelta(days=1))

    def _adapt(self, seconds: float) -> None:
        if seconds < _QUICK:
            self._window = min(self._window * 2, _LARGEST_WINDOW)
        elif seconds > _SLOW:
            self._window = max(self._window // 2, PAGE)


def wanted(replay: Replay, event: Event) -> bool:
    """Whether an archived event is of the range; all of them were committed long ago."""
    bounds = replay.bounds
    return (
        bounds.from_id <= event.id <= bounds.to_id
        and bounds.since <= event.occurred_at < bounds.until
        and event.topic in replay.topics
        and replay.key in (None, event.key)
    )


async def days_of(conn: Connection, bounds: Range) -> list[Day]:
    """The days that the range touches, oldest first."""
    days = [Day(*row) for row in await fetch_rows(conn, _SQL["days"])]
    return [day for day in days if day.end > bounds.since and day.start < bounds.until]


async def extent(conn: Connection, replay: Replay) -> tuple[int, int]:
    """The lowest and the highest id that the table has of the range; nothing: (0, -1)."""
    [(low, high)] = await fetch_rows(conn, _SQL["extent"], replay.params())
    return (low, high) if low is not None else (0, -1)


async def count(conn: Connection, archive: Archive | None, replay: Replay) -> dict[str, Any]:
    """What a replay would apply: events by type, from the table and from files, and days that are nowhere."""
    rows = await fetch_rows(conn, _SQL["counts"], replay.params())
    table = {(topic, kind): number for topic, kind, number, *_ in rows}
    days = await days_of(conn, replay.bounds)
    files = [day for day in days if day.path is not None]
    if files and archive is None and set(replay.topics) & FACT_TOPICS:
        raise ConfigurationError("a part of the log is archived: set ARCHIVE_URL")
    archived = await asyncio.to_thread(_count_files, archive, files, replay) if archive else Counter()
    by_type = [
        {"topic": topic, "type": kind, "table": table.get((topic, kind), 0), "archive": archived[topic, kind]}
        for topic, kind in sorted(table.keys() | archived.keys())
    ]
    return {
        "events": sum(table.values()) + archived.total(),
        "byType": by_type,
        "days": [day.day.isoformat() for day in days if day.attached or day.path],
        "missingDays": [day.day.isoformat() for day in days if not day.attached and day.path is None],
        "stateOnlyFrom": next((day.day.isoformat() for day in days if day.attached), None),
    }


def _count_files(archive: Archive, files: Sequence[Day], replay: Replay) -> Counter[tuple[str, str]]:
    groups = chain.from_iterable(archive.groups(day.path) for day in files if day.path)
    return Counter(
        (event.topic, event.type) for event in chain.from_iterable(groups) if wanted(replay, event)
    )
