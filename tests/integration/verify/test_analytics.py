"""The time series against the truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from consumers.analytics import facts
from tests.integration.verify.conftest import Consuming, Verifying, named
from tests.support.network import Network

THEN = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=30)


def populate(network: Network) -> None:
    conn = network.conn
    for number in range(3):
        network.post("teacher", f"post {number}", "north", id=f"post{number}", createdAt=THEN)
        for who, user in enumerate(("anna", "borey", "sophea")):
            at = THEN + timedelta(hours=number, minutes=7 * who)
            conn.execute(
                'INSERT INTO likes (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)',
                (f"l{number}{who}", f"post{number}", user, at),
            )
            conn.execute(
                'INSERT INTO post_views (id, "postId", "userId", duration, source, "viewedAt") '
                "VALUES (%s, %s, %s, %s, 'mystery', %s)",
                (f"v{number}{who}", f"post{number}", user, 30 if who else None, at),
            )
    for number in range(20):  # that makes it a busy day, whose sums are kept
        conn.execute(
            'INSERT INTO post_views (id, "postId", "userId", duration, source, "viewedAt") '
            "VALUES (%s, 'post2', 'anna', 5, 'feed', %s)",
            (f"b{number}", THEN),
        )
    conn.execute(
        """INSERT INTO comments (id, "postId", "authorId", content, "createdAt", "updatedAt")
           VALUES ('c1', 'post1', 'anna', 'nice', %s, now())""",
        (THEN,),
    )


async def test_damage_is_named_and_mended(
    network: Network, consuming: Consuming, verifying: Verifying, connection: psycopg.Connection[Any]
) -> None:
    populate(network)
    async with consuming("analytics"), verifying("analytics") as verifier:
        found = await verifier.compare()
        assert named(found) == {}
        assert found.compared >= 32
        with connection.transaction():
            connection.execute("DELETE FROM analytics.post_views_ts WHERE fact_id IN ('v00', 'b0')")
            connection.execute(
                "UPDATE analytics.engagement_ts SET user_id = 'anna' WHERE fact_id = 'like:l11'"
            )
            connection.execute(
                "INSERT INTO analytics.school_activity_ts (time, fact_id, school_id, user_id, post_id, kind) "
                "VALUES (%s, 'like:ghost', 'north', 'anna', 'post0', 'like')",
                (THEN,),
            )
            connection.execute(
                "UPDATE analytics.busy_hours SET duration_sum = 99 WHERE post_id = 'post2' AND view_count > 0"
            )
        found = await verifier.compare()
        await verifier.repair(found)
        after = await verifier.compare()
    differ = named(found)
    assert differ["missing"] == {"views/v00", "views/b0"}
    assert "engagement/like:l11" in differ["stale"]
    assert "activity/like:ghost" in differ["extra"]
    assert any(key.startswith("post_views_hourly/post2|") for key in differ["stale"])
    assert any(key.startswith("post_views_daily/post2|") for key in differ["stale"])
    assert named(after) == {}


async def test_what_is_taken_back_leaves_no_difference(
    network: Network, consuming: Consuming, verifying: Verifying
) -> None:
    populate(network)
    async with consuming("analytics"), verifying("analytics") as verifier:
        assert named(await verifier.compare()) == {}
        network.delete("likes", "l00")
        network.delete("posts", "post1")
        network.delete("users", "sophea")
        network.change("post_views", "v01", duration=90)
        assert named(await verifier.compare()) == {}


async def test_a_bug_of_the_mapping_is_found(
    monkeypatch: pytest.MonkeyPatch, network: Network, consuming: Consuming, verifying: Verifying
) -> None:
    populate(network)
    real = facts.fact_time
    monkeypatch.setattr(facts, "fact_time", lambda event: real(event) + timedelta(minutes=1))
    async with consuming("analytics"), verifying("analytics") as verifier:
        found = await verifier.compare()
    assert {"views/v00", "engagement/like:l11", "activity/comment:c1"} <= {str(key) for key in found.stale}
