"""Series have no holes, days are school days, totals are sums of what is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from consumers.analytics.series import Bucket, Period, fill, rate, window

NOW = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)  # already the 24th in Phnom Penh


@pytest.mark.parametrize(
    ("period", "bucket", "points"),
    [
        (Period.DAY, Bucket.HOUR, 24),
        (Period.WEEK, Bucket.DAY, 7),
        (Period.MONTH, Bucket.HOUR, 720),
        (Period.QUARTER, Bucket.DAY, 90),
    ],
)
def test_a_period_has_as_many_points_as_buckets(period: Period, bucket: Bucket, points: int) -> None:
    assert len(fill(window(period, bucket, NOW), {}, ["views"])) == points


def test_days_start_at_midnight_of_the_school() -> None:
    days = window(Period.WEEK, Bucket.DAY, NOW).starts
    assert days[-1].isoformat() == "2026-11-24T00:00:00+07:00"
    assert window(Period.WEEK, Bucket.DAY, NOW).since == datetime(2026, 11, 17, 17, tzinfo=UTC)


def test_days_stay_midnights_across_a_change_of_the_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    starts = window(Period.WEEK, Bucket.DAY, datetime(2026, 10, 27, 12, tzinfo=UTC), berlin).starts
    assert {start.hour for start in starts} == {0}
    assert len({start.utcoffset() for start in starts}) == 2  # the clocks changed on the 25th


def test_values_land_in_their_bucket_whatever_zone_they_come_in() -> None:
    grid = window(Period.DAY, Bucket.HOUR, NOW)
    points = fill(grid, {datetime(2026, 11, 23, 18, tzinfo=UTC): {"views": 3}}, ["views"])
    assert points[-1] == {"time": "2026-11-24T01:00:00+07:00", "views": 3}
    assert sum(point["views"] for point in points) == 3


def test_a_rate_of_nothing_is_zero() -> None:
    assert rate(5, 0) == 0.0
    assert rate(1, 3) == 33.33
