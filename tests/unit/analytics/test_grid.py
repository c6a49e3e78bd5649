"""Hours and school days of any zone, as PostgreSQL cuts them too (tests/integration/analytics/test_rollups.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.analytics.grid import HOUR, Grid

ZONES = ["Asia/Phnom_Penh", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "UTC"]
_FIRST, _LAST = datetime(2016, 1, 1), datetime(2034, 1, 1)  # noqa: DTZ001 - what Hypothesis wants


@given(st.sampled_from(ZONES), st.datetimes(_FIRST, _LAST))
def test_an_instant_is_in_its_hour_and_its_hour_in_its_day(name: str, when: datetime) -> None:
    grid, time = Grid(ZoneInfo(name)), when.replace(tzinfo=UTC)
    hour = grid.hour(time.timestamp())
    day, index = grid.place(hour)
    assert hour <= time.timestamp() < hour + HOUR
    assert day + index * HOUR == hour
    assert day <= hour < grid.next_day(day)
    local = datetime.fromtimestamp(day, grid.zone)
    assert (local.date(), local.hour, local.minute) == (time.astimezone(grid.zone).date(), 0, 0)
    assert datetime.fromtimestamp(hour, grid.zone).minute == 0


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_days_of_another_length_where_the_clocks_change(day: tuple[int, int, int], hours: int) -> None:
    grid = Grid(ZoneInfo("Europe/Berlin"))
    start = int(datetime(*day, tzinfo=grid.zone).timestamp())
    assert grid.next_day(start) - start == hours * HOUR


def test_a_clock_that_moves_by_half_an_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="less than an hour"):
        Grid(ZoneInfo("Australia/Lord_Howe"))


def test_fractions_of_a_second_belong_to_the_hour_that_they_are_in() -> None:
    grid = Grid(ZoneInfo("UTC"))
    before = datetime(2026, 1, 1, 12, tzinfo=UTC) - timedelta(microseconds=1)
    assert grid.hour_start(before) == datetime(2026, 1, 1, 11, tzinfo=UTC)
