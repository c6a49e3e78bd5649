"""What is true of a TimescaleDB server only."""

from __future__ import annotations

import os

import pytest

from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.schema import detect
from runtime.postgres import Pool, fetch_rows
from tests.integration.analytics.conftest import batch, view

pytestmark = pytest.mark.timescale


async def test_the_kind_of_the_server_is_found_out(analytics: Pool) -> None:
    async with analytics.connection() as conn:
        assert await detect(conn) == os.environ["STUNITY_TEST_TIMESCALE_KIND"]


async def test_facts_are_in_chunks_of_hypertables(projection: AnalyticsProjection, analytics: Pool) -> None:
    await projection.apply(batch(view("a")))
    async with analytics.connection() as conn:
        assert await fetch_rows(
            conn, "SELECT hypertable_name, num_chunks FROM timescaledb_information.hypertables ORDER BY 1"
        ) == [("engagement_ts", 0), ("post_views_ts", 1), ("school_activity_ts", 0)]
