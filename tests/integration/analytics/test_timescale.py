"""What is true of a TimescaleDB server only."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from consumers.analytics.filling import Filling
from consumers.analytics.layout import Layout
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.schema import ROLLUPS, detect
from consumers.analytics.store import AnalyticsStore
from runtime.postgres import Connection, Pool, connect, fetch_rows, open_pool
from tests.integration.analytics.conftest import HOUR, batch, event, view
from tests.integration.analytics.rollups import counted, held
from tests.integration.analytics.test_bulk import BULK, fill, prepared, serve, write_anything

pytestmark = pytest.mark.timescale

KIND = os.environ.get("STUNITY_TEST_TIMESCALE_KIND")
community = pytest.mark.skipif(KIND != "community", reason="the licence has no policies")


async def test_the_kind_of_the_server_is_found_out(analytics: Pool) -> None:
    async with analytics.connection() as conn:
        assert await detect(conn) == KIND


async def test_facts_are_in_chunks_of_hypertables(projection: AnalyticsProjection, analytics: Pool) -> None:
    await projection.apply(batch(view("a")))
    async with analytics.connection() as conn:
        assert await fetch_rows(
            conn,
            "SELECT hypertable_name, num_chunks FROM timescaledb_information.hypertables"
            " WHERE hypertable_schema = 'analytics' ORDER BY 1",
        ) == [("engagement_ts", 0), ("post_views_ts", 1), ("school_activity_ts", 0)]


async def test_roll_ups_are_continuous_aggregates_where_the_licence_has_them(
    projection: AnalyticsProjection, analytics: Pool
) -> None:
    query = "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"
    async with analytics.connection() as conn:
        kinds = {name: kind for name, kind in await fetch_rows(conn, query) if name in ROLLUPS}
    ours = {name: "v" if name.startswith("post_views") else "r" for name in ROLLUPS}
    assert kinds == (dict.fromkeys(ROLLUPS, "v") if KIND == "community" else ours)


async def run_policies(conn: Connection) -> set[str]:
    """Call every policy of ours, as TimescaleDB's scheduler would; returns their kinds."""
    jobs = await fetch_rows(
        conn,
        "SELECT job_id, proc_name FROM timescaledb_information.jobs WHERE hypertable_schema = 'analytics'",
    )
    for job, _ in sorted(jobs):
        await conn.execute("CALL run_job(%s)", (job,))
    return {name for _, name in jobs}


@community
async def test_policies_refresh_compress_and_drop_and_the_numbers_stay_right(
    analytics: Pool, truth: Pool, analytics_url: str
) -> None:
    layout = Layout(retention_days=120)
    projection = AnalyticsProjection(AnalyticsStore(analytics, truth, layout))
    await projection.prepare()
    await projection.apply(batch(refill=True))
    times = [HOUR - timedelta(days=days) for days in (0, 1, 40, 60, 100)]
    await projection.apply(batch(*(view(f"v{n}", user=f"u{n % 3 + 1}", at=at) for n, at in enumerate(times))))
    async with analytics.connection() as conn:
        await conn.execute(
            "INSERT INTO analytics.post_views_ts (time, fact_id, post_id, source) VALUES (%s, 'old', 'p1', 'feed')",
            (HOUR - timedelta(days=300),),
        )
    await analytics.close()
    async with connect(analytics_url, autocommit=True) as conn:
        assert await run_policies(conn) >= {
            "policy_refresh_continuous_aggregate", "policy_retention", "policy_compression"
        }  # fmt: skip
        assert await fetch_rows(conn, "SELECT count(*) FROM analytics.post_views_ts") == [(5,)]
        [(compressed,)] = await fetch_rows(
            conn, "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
        )
        assert compressed >= 2
    async with open_pool(analytics_url, max_size=1) as pool:
        assert await held(pool) == await counted(pool)
        later = AnalyticsProjection(AnalyticsStore(pool, truth, layout))
        await later.prepare()
        late = view("late", user="u3", at=times[2])
        await later.apply(batch(late, view("v3", user="u1", at=times[3], duration=50)))
        await later.apply(
            batch(event("view.deleted", **view("v2", at=times[2]).data), event("user.deleted", "u1"))
        )
        await later.apply(batch())
        assert await held(pool) == await counted(pool)
        async with pool.connection() as conn:
            facts = await fetch_rows(
                conn, "SELECT fact_id, viewer_id FROM analytics.post_views_ts ORDER BY 1"
            )
    assert facts == [("late", "u3"), ("v0", None), ("v1", "u2"), ("v3", None), ("v4", "u2")]


@community
async def test_a_fill_is_counted_though_the_policies_were_faster(
    analytics: Pool, truth: Pool, analytics_url: str, database: str
) -> None:
    """What they have summed up before a fact came would stay as it was."""
    await fill(await prepared(analytics, truth))
    await analytics.close()
    async with connect(analytics_url, autocommit=True) as conn:
        for name in ROLLUPS:
            await conn.execute(
                "CALL refresh_continuous_aggregate(%s, NULL, %s::timestamptz)",
                (f"{BULK.schema}.{name}", HOUR + timedelta(days=9)),
            )
    write_anything(database, 7)
    async with open_pool(analytics_url, max_size=1) as pool:
        store = AnalyticsStore(pool, truth, BULK)
        await fill(Filling(store, pool, truth, BULK, await store.prepare()))
        await serve(pool)
        found = await held(pool)
        assert len(found["hourly"]) > 10
        assert found == await counted(pool)
