"""Hours and school days of one time zone: which bucket an instant falls into. Pure.

An hour is an hour of the zone's clock (in a zone that is off by a half, it begins at half past of UTC), so a day is
always a whole number of hours: 24, or 23 and 25 where the clocks change. PostgreSQL's `date_trunc('day', t, zone)` and
TimescaleDB's `time_bucket` give the same buckets. Buckets are named by their start in seconds since 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

HOUR: Final = 3600
SCHOOL_ZONE: Final = ZoneInfo("Asia/Phnom_Penh")
_MOST_PLACES: Final = 100_000  # eleven years of hours


class Grid:
    """The buckets of one zone.

    Raises:
        ValueError: the zone's clock has changed by less than an hour in living memory: a day would split an hour.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        shifts = {_past_the_hour(zone, year, month) for year in range(2015, 2036) for month in (1, 7)}
        if len(shifts) > 1:
            raise ValueError(
                f"{zone.key} moves its clock by less than an hour: analytics cannot keep its days"
            )
        #: How far past a UTC hour the zone's hours begin, in seconds.
        self.shift = -shifts.pop() % HOUR
        self._places: dict[int, tuple[int, int]] = {}
        self._next_days: dict[int, int] = {}

    def hour(self, seconds: float) -> int:
        """The hour of an instant."""
        whole = int(seconds // 1)
        return whole - (whole - self.shift) % HOUR

    def day(self, hour: int) -> int:
        """The day that an hour belongs to."""
        return self.place(hour)[0]

    def day_of(self, time: datetime) -> int:
        """The day that an instant belongs to."""
        return self.day(self.hour(time.timestamp()))

    def place(self, hour: int) -> tuple[int, int]:
        """The day that an hour belongs to, and which of its hours it is, from 0."""
        place = self._places.get(hour)
        if place is None:
            local = datetime.fromtimestamp(hour, self.zone)
            midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            day = int(midnight.timestamp())
            if len(self._places) > _MOST_PLACES:
                self._places.clear()
            place = self._places[hour] = (day, (hour - day) // HOUR)
        return place

    def next_day(self, day: int) -> int:
        """The start of the day after."""
        following = self._next_days.get(day)
        if following is None:
            local = datetime.fromtimestamp(day, self.zone) + timedelta(hours=36)
            following = int(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp())
            if len(self._next_days) > _MOST_PLACES:
                self._next_days.clear()
            self._next_days[day] = following
        return following

    def hour_start(self, time: datetime) -> datetime:
        """The same as `hour`, as a UTC time."""
        return datetime.fromtimestamp(self.hour(time.timestamp()), UTC)


@lru_cache
def grid_of(zone: ZoneInfo) -> Grid:
    """The grid of a zone, made once."""
    return Grid(zone)


def _past_the_hour(zone: ZoneInfo, year: int, month: int) -> int:
    offset = zone.utcoffset(datetime(year, month, 15, 12))  # noqa: DTZ001 - a wall clock's reading
    assert offset is not None  # a ZoneInfo always knows
    return int(offset.total_seconds()) % HOUR
