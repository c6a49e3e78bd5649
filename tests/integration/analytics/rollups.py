"""What the roll-ups should be, counted from the facts by SQL that shares nothing with the writer; and what they are."""

from __future__ import annotations

from typing import Any

from pyroaring import BitMap

from consumers.analytics.people import HOUR_BIT
from runtime.postgres import Pool, fetch_rows

_COUNTED = """
SELECT date_trunc('{bucket}', time, '{zone}'), post_id, sum(weight)::int, count(DISTINCT viewer_id)::int,
       coalesce(sum(duration_s), 0)::bigint, count(duration_s)::int,
       coalesce(sum(weight) FILTER (WHERE source = 'feed'), 0)::int,
       coalesce(sum(weight) FILTER (WHERE source = 'other'), 0)::int
  FROM analytics.post_views_ts GROUP BY 1, 2 ORDER BY 1, 2
"""
_HELD = """
SELECT {bucket}, post_id, view_count, unique_viewers, duration_sum, duration_count, from_feed, from_other
  FROM analytics.post_views_{table} ORDER BY 1, 2
"""
_MARKS = """
SELECT DISTINCT {owner}, date_trunc('day', time, '{zone}') AS day,
       (extract(epoch FROM date_trunc('hour', time, 'UTC') - date_trunc('day', time, '{zone}')) / 3600)::int, {user}
  FROM analytics.{table} WHERE {user} IS NOT NULL AND {owner} IS NOT NULL
"""
_BUSY = """
SELECT post_id, date_trunc('day', time, '{zone}') FROM analytics.post_views_ts GROUP BY 1, 2 HAVING count(*) >= %s
"""
_KINDS = """
SELECT date_trunc('hour', time, 'UTC'), {owner}, kind, count(*)::int FROM analytics.{table}
 WHERE {owner} IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


async def busy(pool: Pool, least: int, zone: str = "Asia/Phnom_Penh") -> set[Any]:
    """Posts' days that have at least so many views."""
    async with pool.connection() as conn:
        return set(await fetch_rows(conn, _BUSY.format(zone=zone), (least,)))


async def counted(pool: Pool, zone: str = "Asia/Phnom_Penh") -> dict[str, Any]:
    """From the facts. Viewers are those of the days that are kept as sets."""
    async with pool.connection() as conn:
        kept = set(await fetch_rows(conn, "SELECT post_id, day FROM analytics.post_people"))
        return {
            "hourly": await fetch_rows(conn, _COUNTED.format(bucket="hour", zone="UTC")),
            "daily": await fetch_rows(conn, _COUNTED.format(bucket="day", zone=zone)),
            "engagement": await fetch_rows(conn, _KINDS.format(owner="post_id", table="engagement_ts")),
            "activity": await fetch_rows(conn, _KINDS.format(owner="school_id", table="school_activity_ts")),
            "viewers": {
                row
                for row in await fetch_rows(
                    conn, _MARKS.format(owner="post_id", user="viewer_id", table="post_views_ts", zone=zone)
                )
                if row[:2] in kept
            },
            "actives": set(
                await fetch_rows(
                    conn,
                    _MARKS.format(owner="school_id", user="user_id", table="school_activity_ts", zone=zone),
                )
            ),
        }


async def held(pool: Pool) -> dict[str, Any]:
    """By the roll-ups and the sets."""
    async with pool.connection() as conn:
        names: dict[int, str] = dict(await fetch_rows(conn, "SELECT id, user_id FROM analytics.people"))
        return {
            "hourly": await fetch_rows(conn, _HELD.format(bucket="hour", table="hourly")),
            "daily": await fetch_rows(conn, _HELD.format(bucket="day", table="daily")),
            "engagement": await fetch_rows(
                conn, "SELECT hour, post_id, kind, count FROM analytics.engagement_hourly ORDER BY 1, 2, 3"
            ),
            "activity": await fetch_rows(
                conn,
                "SELECT hour, school_id, kind, count FROM analytics.school_activity_hourly ORDER BY 1, 2, 3",
            ),
            "viewers": _marks(await fetch_rows(conn, "SELECT * FROM analytics.post_people"), names),
            "actives": _marks(await fetch_rows(conn, "SELECT * FROM analytics.school_people"), names),
        }


def _marks(rows: list[Any], names: dict[int, str]) -> set[Any]:
    """(owner, day, hour, person); the set of the day has to be the people of its hours."""
    marks = set()
    below = (1 << HOUR_BIT) - 1
    for owner, day, people, by_hour in rows:
        found = list(BitMap.deserialize(by_hour))
        assert {mark & below for mark in found} == set(BitMap.deserialize(people))
        marks |= {(owner, day, mark >> HOUR_BIT, names[mark & below]) for mark in found}
    return marks
