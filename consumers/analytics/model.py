"""What an analytics answer looks like, built the same way from the view's rows and from the truth's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from consumers.analytics.series import Window, fill, rate

ENGAGEMENT_KINDS = ("like", "comment", "bookmark")
ACTIVITY_KINDS = ("post", "comment", "like", "bookmark", "quiz")


@dataclass(slots=True)
class PostNumbers:
    """Rows of one post in one window.

    views: (bucket start, views, unique viewers); engagements: (bucket start, kind, count);
    sources: (source, views); unique_viewers and duration are over the whole window.
    """

    views: list[tuple[datetime, int, int]] = field(default_factory=list)
    engagements: list[tuple[datetime, str, int]] = field(default_factory=list)
    sources: list[tuple[str, int]] = field(default_factory=list)
    unique_viewers: int = 0
    average_duration_s: float | None = None


def post_answer(post_id: str, grid: Window, numbers: PostNumbers) -> dict[str, Any]:
    """The body of GET /posts/{id}/analytics."""
    points: dict[datetime, dict[str, int]] = defaultdict(dict)
    for start, views, unique in numbers.views:
        points[start] |= {"views": views, "uniqueViewers": unique}
    for start, kind, count in numbers.engagements:
        points[start][f"{kind}s"] = count
    totals = {
        f"{kind}s": sum(row[2] for row in numbers.engagements if row[1] == kind) for kind in ENGAGEMENT_KINDS
    }
    views = sum(row[1] for row in numbers.views)
    return {
        "postId": post_id,
        "period": grid.period.value,
        "bucket": grid.bucket.value,
        "timeZone": grid.zone.key,
        "totalViews": views,
        "uniqueViewers": numbers.unique_viewers,
        "averageDurationSeconds": numbers.average_duration_s,
        **totals,
        "engagementRate": rate(sum(totals.values()), views),
        "viewsBySource": dict(sorted(numbers.sources, key=lambda row: (-row[1], row[0]))),
        "series": fill(grid, points, ("views", "uniqueViewers", *totals)),
    }


@dataclass(slots=True)
class SchoolNumbers:
    """Rows of one school in one window: (bucket start, kind, count); heat: (ISO weekday, hour, count)."""

    activity: list[tuple[datetime, str, int]] = field(default_factory=list)
    heat: list[tuple[int, int, int]] = field(default_factory=list)
    active_users: int = 0


def school_answer(school_id: str, grid: Window, numbers: SchoolNumbers) -> dict[str, Any]:
    """The body of GET /schools/{id}/activity. `heatMap[d][h]`: Monday is 0, hours are local."""
    points: dict[datetime, dict[str, int]] = defaultdict(dict)
    for start, kind, count in numbers.activity:
        points[start][_plural(kind)] = count
    for point in points.values():
        point["all"] = sum(point.values())
    names = tuple(_plural(kind) for kind in ACTIVITY_KINDS)
    return {
        "schoolId": school_id,
        "period": grid.period.value,
        "timeZone": grid.zone.key,
        "activeUsers": numbers.active_users,
        "totals": {
            _plural(kind): sum(r[2] for r in numbers.activity if r[1] == kind) for kind in ACTIVITY_KINDS
        },
        "series": fill(grid, points, (*names, "all")),
        "heatMap": _heat_map(numbers.heat),
    }


def _plural(kind: str) -> str:
    return "quizAttempts" if kind == "quiz" else f"{kind}s"


def _heat_map(rows: Iterable[tuple[int, int, int]]) -> list[list[int]]:
    heat = [[0] * 24 for _ in range(7)]
    for weekday, hour, count in rows:
        heat[int(weekday) - 1][int(hour)] += count
    return heat
