"""Periods, buckets and series without holes. Pure.

Days are school days: buckets start at midnight of the school's time zone. A period is a whole number of buckets that
ends with the current one, so that the totals are the sums of what the series shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from consumers.analytics.grid import HOUR, SCHOOL_ZONE, grid_of


class Period(StrEnum):
    """How far back to look."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"

    @property
    def days(self) -> int:
        """Length in days."""
        return {"24h": 1, "7d": 7, "30d": 30, "90d": 90}[self.value]


class Bucket(StrEnum):
    """The width of one point of a series."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Window:
    """A period laid on a grid of buckets: from the start of the first to the end of the current one."""

    period: Period
    bucket: Bucket
    starts: tuple[datetime, ...]
    zone: ZoneInfo = SCHOOL_ZONE

    @property
    def since(self) -> datetime:
        """Start of the first bucket, in UTC."""
        return self.starts[0].astimezone(UTC)

    @property
    def until(self) -> datetime:
        """End of the last bucket, in UTC."""
        last = int(self.starts[-1].timestamp())
        hours = self.bucket is Bucket.HOUR
        return datetime.fromtimestamp(last + HOUR if hours else grid_of(self.zone).next_day(last), UTC)

    def params(self) -> dict[str, Any]:
        """Named parameters of the queries in `view.py` and `fallback.py`."""
        return {
            "since": self.since,
            "until": self.until,
            "hourly": self.bucket is Bucket.HOUR,
            "zone": self.zone.key,
            "origin": datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=grid_of(self.zone).shift),
        }


def window(period: Period, bucket: Bucket, now: datetime, zone: ZoneInfo = SCHOOL_ZONE) -> Window:
    """The buckets of a period that ends now. A day across a change of the clocks still starts at midnight."""
    local = now.astimezone(zone)
    if bucket is Bucket.DAY:
        today = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        starts = [today - timedelta(days=back) for back in reversed(range(period.days))]
    else:
        hour = grid_of(zone).hour_start(now)
        starts = [
            (hour - timedelta(hours=back)).astimezone(zone) for back in reversed(range(period.days * 24))
        ]
    return Window(period, bucket, tuple(starts), zone)


def fill(
    grid: Window, rows: Mapping[datetime, Mapping[str, int]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """One point per bucket, zero where nothing happened. `rows` is keyed by bucket start (any zone)."""
    by_start = {start.timestamp(): values for start, values in rows.items()}
    nothing: Mapping[str, int] = {}
    points = []
    for start in grid.starts:
        values = by_start.get(start.timestamp(), nothing)
        points.append({"time": start.isoformat(), **{name: int(values.get(name, 0)) for name in names}})
    return points


def rate(part: int, whole: int) -> float:
    """Percentage with two decimals; 0 when there is nothing to compare with."""
    return round(100 * part / whole, 2) if whole else 0.0
