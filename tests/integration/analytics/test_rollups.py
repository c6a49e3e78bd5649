"""Roll-ups and sets of people are what their facts amount to, on every kind of server, whatever happens to them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from consumers.analytics.erasure import forget
from consumers.analytics.layout import Layout
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.recount import recount
from consumers.analytics.schema import ROLLUPS, exchange
from consumers.analytics.series import Bucket, Period, window
from consumers.analytics.store import AnalyticsStore
from consumers.analytics.upkeep import retire
from consumers.analytics.view import AnalyticsView
from runtime.postgres import Pool, connect, fetch_rows, open_pool
from schemas.envelope import Event
from tests.integration.analytics.conftest import HOUR, SMALL, batch, event, view
from tests.integration.analytics.rollups import busy, counted, held

pytestmark = pytest.mark.timescale_too


async def materialise(pool: Pool) -> None:
    """What TimescaleDB's own scheduler does now and then: count everything up to now once and for all."""
    async with pool.connection() as conn:
        await conn.set_autocommit(True)
        if await fetch_rows(conn, "SELECT FROM analytics.made WHERE kind = 'community'"):
            for name in ROLLUPS:
                await conn.execute(
                    "CALL refresh_continuous_aggregate(%s, NULL, NULL)", (f"analytics.{name}",)
                )
        await conn.set_autocommit(False)


def history(chance: random.Random, count: int) -> list[Event]:
    """Views, second looks, reactions, things taken back, over ten days; in no order."""
    events: list[Event] = []
    for number in range(count):
        at = HOUR - timedelta(minutes=chance.randrange(10 * 24 * 60))
        post, user = f"p{chance.randrange(1, 4)}", chance.choice(["u1", "u2", "u3", None])
        seen = {"source": chance.choice(["feed", "nowhere"]), "duration": chance.choice([None, 5, 40])}
        data = {"id": f"v{number}", "userId": user, "at": at.isoformat(), **seen}
        events.append(event("post.viewed", post, **data))
        if chance.random() < 0.2:
            events.append(event("post.viewed", post, **{**data, "duration": 90}))
        if chance.random() < 0.2:
            events.append(event("view.deleted", post, **data))
        if chance.random() < 0.4:
            like = {"id": f"l{number}", "userId": user or "u1", "at": at.isoformat()}
            events.append(event("like.created", post, **like))
            if chance.random() < 0.3:
                events.append(event("like.deleted", post, **like))
    return events


async def deliver(projection: AnalyticsProjection, events: list[Event], size: int) -> None:
    for start in range(0, len(events), size):
        assert not await projection.apply(batch(*events[start : start + size]))
    await projection.apply(batch())  # nothing more for now: what is late is refreshed


async def answers(pool: Pool) -> list[Any]:
    """What readers are told of each post, for every period and bucket."""
    now = HOUR + timedelta(hours=1)
    view = AnalyticsView(pool)
    numbers = [
        await view.post(post, window(period, bucket, now))
        for post in ("p1", "p2", "p3")
        for period in Period
        for bucket in Bucket
    ]
    return [replace(one, views=sorted(one.views)) for one in numbers]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_roll_ups_are_what_the_facts_amount_to(
    projection: AnalyticsProjection, analytics: Pool, seed: int
) -> None:
    chance = random.Random(seed)
    events = history(chance, 150)
    await deliver(projection, events[:200], 17)
    await materialise(analytics)
    await deliver(projection, events[200:], 40)
    expected = await counted(analytics)
    assert len(expected["viewers"]) > 30
    assert await held(analytics) == expected
    days = {row[:2] for row in expected["viewers"]}
    assert await busy(analytics, SMALL.busy_from) <= days < await busy(analytics, 1)


async def test_all_events_a_second_time_leave_every_number_as_it_was(
    projection: AnalyticsProjection, analytics: Pool
) -> None:
    events = history(random.Random(9), 150)
    await deliver(projection, events, 30)
    before, told = await held(analytics), await answers(analytics)
    await materialise(analytics)
    await deliver(projection, events, 45)
    after = await held(analytics)
    assert after == await counted(analytics)
    # A view that came again before it was taken back again may have made its day busy: another form, the same numbers.
    kept = {row[:2] for row in before["viewers"]}
    assert {**after, "viewers": {row for row in after["viewers"] if row[:2] in kept}} == before
    assert await answers(analytics) == told


async def test_a_late_fact_changes_its_own_buckets_and_no_others(
    projection: AnalyticsProjection, analytics: Pool
) -> None:
    await deliver(projection, history(random.Random(4), 120), 50)
    await materialise(analytics)
    before = await held(analytics)
    late = HOUR - timedelta(days=60)
    await deliver(projection, [view("late", "p2", user="u3", at=late)], 1)
    after = await held(analytics)
    assert after == await counted(analytics)
    for table in ("hourly", "daily"):
        [new] = set(after[table]) - set(before[table])
        assert new[1:4] == ("p2", 1, 1)
        assert set(before[table]) < set(after[table])


async def test_people_of_a_period_are_not_the_sum_of_its_hours(
    projection: AnalyticsProjection, analytics: Pool
) -> None:
    views = [
        view(f"{user}-{hours}", user=user, at=HOUR - timedelta(hours=hours))
        for user in ("u1", "u2", "u3")
        for hours in range(0, 140, 5)
    ]
    await deliver(projection, views, 50)
    for bucket in Bucket:
        numbers = await AnalyticsView(analytics).post("p1", window(Period.WEEK, bucket, datetime.now(UTC)))
        assert numbers.unique_viewers == 3
        assert sum(point[2] for point in numbers.views) > 15  # six days at least, three people


async def test_an_erased_person_leaves_the_counts_of_people_not_those_of_views(
    projection: AnalyticsProjection, analytics: Pool, analytics_url: str
) -> None:
    await deliver(projection, history(random.Random(2), 120), 50)
    await materialise(analytics)
    before = await counted(analytics)
    await analytics.close()  # one connection at a time is all that one of the servers has
    async with connect(analytics_url, autocommit=True) as conn:
        for _ in range(2):
            assert await forget(conn, "u2")
        for table, column in (
            ("post_views_ts", "viewer_id"),
            ("engagement_ts", "user_id"),
            ("school_activity_ts", "user_id"),
            ("people", "user_id"),
        ):
            query = f"SELECT count(*) FILTER (WHERE {column} = 'u2'), count(*) FROM analytics.{table}"
            [(gone, rest)] = await fetch_rows(conn, query)
            assert (gone, rest > 0) == (0, True)
    async with open_pool(analytics_url, max_size=1) as pool:
        after = await held(pool)
        assert after == await counted(pool)
    assert {row[3] for row in before["viewers"]} - {row[3] for row in after["viewers"]} == {"u2"}
    assert [row[:3] for row in after["hourly"]] == [row[:3] for row in before["hourly"]]
    assert after["hourly"] != before["hourly"]


async def test_days_across_a_change_of_the_clocks(analytics: Pool, truth: Pool) -> None:
    berlin = Layout(zone=ZoneInfo("Europe/Berlin"))
    projection = AnalyticsProjection(AnalyticsStore(analytics, truth, berlin))
    await projection.prepare()
    await projection.apply(batch(refill=True))
    change = datetime(2026, 10, 25, tzinfo=UTC)  # at 01:00 UTC three o'clock becomes two
    views = [
        view(f"v{hour}", user=f"u{hour % 3 + 1}", at=change + timedelta(hours=hour, minutes=10))
        for hour in range(-30, 40)
    ]
    await deliver(projection, views, 20)
    assert await held(analytics) == await counted(analytics, "Europe/Berlin")
    async with analytics.connection() as conn:
        days = await fetch_rows(
            conn,
            "SELECT extract(epoch FROM day)::bigint, view_count FROM analytics.post_views_daily ORDER BY 1",
        )
    long_day = int(datetime(2026, 10, 25, tzinfo=berlin.zone).timestamp())
    assert (long_day, 25) in days


async def test_days_of_a_zone_that_is_off_by_a_half(analytics: Pool, truth: Pool) -> None:
    kolkata = Layout(zone=ZoneInfo("Asia/Kolkata"))
    projection = AnalyticsProjection(AnalyticsStore(analytics, truth, kolkata))
    await projection.prepare()
    await projection.apply(batch(refill=True))
    midnight = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # of the 21st in India
    views = [view(f"v{n}", at=midnight + timedelta(minutes=n)) for n in (-40, -20, -1, 0, 1, 20, 40)]
    await deliver(projection, views, 10)
    async with analytics.connection() as conn:
        hours = await fetch_rows(conn, "SELECT hour, view_count FROM analytics.post_views_hourly ORDER BY 1")
        days = await fetch_rows(conn, "SELECT day, view_count FROM analytics.post_views_daily ORDER BY 1")
    assert hours == [(midnight - timedelta(hours=1), 3), (midnight, 4)]
    assert days == [(midnight - timedelta(days=1), 3), (midnight, 4)]


async def test_another_zone_makes_the_tables_anew(
    projection: AnalyticsProjection, analytics: Pool, truth: Pool
) -> None:
    await projection.apply(batch(view("a"), checkpoint="here"))
    other = AnalyticsProjection(AnalyticsStore(analytics, truth, Layout(zone=ZoneInfo("Europe/Berlin"))))
    await other.prepare()
    assert await other.read_checkpoint() is None


async def test_a_shadow_becomes_the_living_generation(
    projection: AnalyticsProjection, analytics: Pool, truth: Pool
) -> None:
    await projection.apply(batch(view("a")))
    shadow = AnalyticsProjection(AnalyticsStore(analytics, truth, Layout("analytics_shadow", busy_from=3)))
    async with analytics.connection() as conn:
        await conn.execute("DROP SCHEMA IF EXISTS analytics_shadow CASCADE")
        await conn.execute("DROP SCHEMA IF EXISTS analytics_former CASCADE")
    await shadow.prepare()
    await shadow.apply(batch(view("a"), view("b", user="u2"), checkpoint="shadow", refill=True))
    assert sum(row[2] for row in (await held(analytics))["daily"]) == 1
    async with analytics.connection() as conn:
        await exchange(conn, "analytics_shadow", "analytics_former")
    assert await projection.read_checkpoint() == "shadow"
    await projection.apply(batch(view("c", user="u3")))
    assert await held(analytics) == await counted(analytics)
    assert [row[2:4] for row in (await held(analytics))["daily"]] == [(3, 3)]
    async with analytics.connection() as conn:
        await conn.execute("DROP SCHEMA analytics_former CASCADE")


async def test_a_recount_finds_what_the_writer_keeps(
    projection: AnalyticsProjection, analytics: Pool
) -> None:
    await deliver(projection, history(random.Random(5), 100), 30)
    before = await held(analytics)
    async with analytics.connection() as conn:
        await recount(conn, SMALL)
    assert await held(analytics) == before


async def test_what_is_older_than_the_retention_goes_and_does_not_come_back(
    analytics: Pool, truth: Pool, analytics_url: str
) -> None:
    layout = Layout(retention_days=120)
    projection = AnalyticsProjection(AnalyticsStore(analytics, truth, layout))
    await projection.prepare()
    await projection.apply(batch(refill=True))
    kept, old = HOUR - timedelta(days=100), HOUR - timedelta(days=119)
    await deliver(
        projection,
        [view("kept", at=kept), view("old", at=old), view("older", at=old - timedelta(days=30))],
        5,
    )
    assert [row[2] for row in (await held(analytics))["daily"]] == [1, 1]  # what is too old is not taken in
    await analytics.close()
    async with connect(analytics_url, autocommit=True) as conn:
        await retire(conn, layout, now=datetime.now(UTC) + timedelta(days=200))
        community = await fetch_rows(conn, "SELECT FROM analytics.made WHERE kind = 'community'")
        tables = [
            "post_people",
            *([] if community else ["post_views_ts", "post_views_hourly", "post_views_daily"]),
        ]
        for table in tables:
            assert await fetch_rows(conn, f"SELECT count(*) FROM analytics.{table}") == [(0,)], table


async def test_views_of_more_people_than_a_thousand_are_exact(
    projection: AnalyticsProjection, analytics: Pool, database: str
) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(
            'INSERT INTO users (id, "schoolId", password, "firstName", "lastName", "updatedAt")'
            " SELECT 'many' || n, 's1', 'x', 'A', 'B', now() FROM generate_series(0, 2999) n"
        )
    chance = random.Random(1)
    views = [
        view(f"v{n}", user=f"many{chance.randrange(3000)}", at=HOUR - timedelta(hours=chance.randrange(400)))
        for n in range(5000)
    ]
    await deliver(projection, views, 250)
    for period in (Period.WEEK, Period.MONTH):
        for bucket in Bucket:
            grid = window(period, bucket, datetime.now(UTC))
            numbers = await AnalyticsView(analytics).post("p1", grid)
            exact = {
                v.data["userId"]
                for v in views
                if grid.since <= datetime.fromisoformat(v.data["at"]) < grid.until
            }
            assert numbers.unique_viewers == len(exact) > 1000
