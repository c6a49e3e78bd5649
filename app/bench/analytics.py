"""Analytics at size: reads against the plan's own SQL and a COUNT on raw rows, writes against a bare COPY.

History is made by the server itself and rolled up in bulk; the last days of it go through the projection, batch by
batch as the engine hands them over, and are compared with their facts afterwards. Everything runs on native partitions
of the embedded PostgreSQL: the form that has the most to do itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from app.bench import views_data as data
from app.bench import views_stream
from app.bench.percentiles import percentiles
from app.bench.servers import Servers
from consumers.analytics.layout import Layout
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.recount import recount
from consumers.analytics.series import Bucket, Period, Window, window
from consumers.analytics.store import AnalyticsStore
from consumers.analytics.view import AnalyticsView
from consumers.engine.projection import Batch
from runtime import garbage
from runtime.postgres import Connection, Pool, connect, fetch_rows, open_pool

Say = Callable[[str], None]

#: The plan's two queries, on its own roll-up, and what its endpoint does today.
_PLAN: Final = (
    """SELECT hour, view_count, unique_viewers FROM plan.post_views_hourly
        WHERE post_id = %(post)s AND hour >= %(since)s ORDER BY hour""",
    """SELECT sum(view_count), sum(unique_viewers) FROM plan.post_views_hourly
        WHERE post_id = %(post)s AND hour >= %(since)s""",
)
_RAW: Final = (
    """SELECT date_trunc('day', time, %(zone)s), count(*), count(DISTINCT viewer_id) FROM analytics.post_views_ts
        WHERE post_id = %(post)s AND time >= %(since)s GROUP BY 1""",
    """SELECT count(*), count(DISTINCT viewer_id) FROM analytics.post_views_ts
        WHERE post_id = %(post)s AND time >= %(since)s""",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of what."""

    views: int
    posts: int
    viral: int
    people: int
    ingest: int


def measure(on: Servers, size: Size, *, rounds: int, say: Say) -> dict[str, Any]:
    """All figures."""
    garbage.settle()  # as consumers and the API do
    return asyncio.run(_measure(on, size, rounds, say))


async def _measure(on: Servers, size: Size, rounds: int, say: Say) -> dict[str, Any]:
    url = on.database_url
    async with open_pool(url, max_size=2, name="bench-analytics") as pool:
        projection = AnalyticsProjection(AnalyticsStore(pool, pool))
        await projection.prepare()
        await projection.apply(Batch([], "begin", 1, refill=True))
        async with connect(url, name="bench") as conn:
            facts = data.Facts(size.views, size.posts, size.viral, size.people, size.ingest)
            await data.make_history(conn, facts, say)
            say("rolling up the history …")
            await recount(conn, Layout())
            await conn.commit()
            ingested = await _ingest(conn, projection, facts, say)
            say("the plan's roll-up …")
            await data.make_plans_rollup(conn)
            await conn.commit()
            reads = await _reads(pool, conn, size, rounds, say)
            streamed = await views_stream.measure(on, conn, facts, say)
    return {**reads, "ingest": ingested, "stream_to_table": streamed, **vars_of(size), "rounds": rounds}


def vars_of(size: Size) -> dict[str, int]:
    """The size, for the record."""
    return {"views": size.views, "posts": size.posts, "viral_views": size.viral, "people": size.people}


# --- writing ----------------------------------------------------------------------------------------------------


async def _ingest(
    conn: Connection, projection: AnalyticsProjection, facts: data.Facts, say: Say
) -> dict[str, Any]:
    batch_size = AnalyticsProjection.batch_events
    say(f"{facts.ingest:,} views through the projection, {batch_size} at a time …")
    seconds: list[float] = []
    for number, events in enumerate(data.batches(facts, batch_size)):
        started = perf_counter()
        rejected = await projection.apply(Batch(events, f"batch {number}", 1))
        seconds.append(perf_counter() - started)
        assert not rejected
    say("comparing the roll-ups with the facts …")
    wrong = await data.differences(conn, facts)
    await conn.commit()
    say("as many rows by COPY into the same table …")
    copied = await data.copy_rate(conn, facts)
    rate = facts.ingest / sum(seconds)
    slowest = _slowest_tenth(seconds, batch_size)
    return {
        "events_per_s": round(rate),
        "slowest_tenth_events_per_s": round(slowest),
        "batch_events": batch_size,
        "events": facts.ingest,
        "copy_rows_per_s": round(copied),
        "ratio_to_copy": round(rate / copied, 3),
        "buckets_that_differ_from_the_facts": wrong,
    }


def _slowest_tenth(seconds: list[float], batch_size: int) -> float:
    """Events per second of the slowest run of a tenth of the batches: whether the rate is sustained."""
    length = max(len(seconds) // 10, 1)
    return (
        batch_size
        * length
        / max(
            sum(seconds[start : start + length])
            for start in range(0, len(seconds) - length + 1, max(length // 4, 1))
        )
    )


# --- reading ----------------------------------------------------------------------------------------------------


async def _reads(pool: Pool, conn: Connection, size: Size, rounds: int, say: Say) -> dict[str, Any]:
    say("reading …")
    view = AnalyticsView(pool)
    posts = [data.post_id(number) for number in (0, 1, 2, 10, 100, 1000, size.posts // 2, size.posts - 1)]
    grids = [(period, bucket) for period in Period for bucket in Bucket]
    figures: dict[str, Any] = {}
    for who, chosen in (("viral", posts[:1]), ("all", posts)):
        asked = [(post, _grid(*grid)) for grid in grids for post in chosen]
        figures[who] = {
            "ours": await _times(lambda post, grid: view.post(post, grid), asked, rounds),
            "plan": await _times(lambda post, grid: _ask(conn, _PLAN, post, grid), asked, rounds),
            "raw_count": await _times(
                lambda post, grid: _ask(conn, _RAW, post, grid), asked, max(rounds // 10, 2)
            ),
        }
    by_period = {
        period.value: await _times(
            lambda post, grid: view.post(post, grid), [(posts[0], _grid(period, Bucket.DAY))], rounds * 4
        )
        for period in Period
    }
    return {
        "trend_and_totals": figures,
        "viral_by_period": by_period,
        "unique_viewers_of_the_viral_post": await _uniques(view, conn, posts[0]),
        "history_outside_the_period": await _history(view, conn, posts[0], rounds * 4),
    }


async def _uniques(view: AnalyticsView, conn: Connection, post: str) -> dict[str, int]:
    """Over 90 days: ours, the exact number, and what the plan's sum of hours says."""
    grid = _grid(Period.QUARTER, Bucket.DAY)
    params = {"post": post, "since": grid.since}
    [(_, exact)] = await fetch_rows(conn, _RAW[1], params)
    [(_, summed)] = await fetch_rows(conn, _PLAN[1], params)
    return {"ours": (await view.post(post, grid)).unique_viewers, "exact": exact, "plan": int(summed)}


async def _history(view: AnalyticsView, conn: Connection, post: str, rounds: int) -> dict[str, Any]:
    """A week of the viral post, against a post that has the same week and nothing before it."""
    grid = _grid(Period.WEEK, Bucket.DAY)
    young = await data.copy_of_the_last_days(conn, post, grid.since)
    await conn.commit()
    return {
        "with_90_days_ms": (await _times(lambda p, g: view.post(p, g), [(post, grid)], rounds))["p50_ms"],
        "with_7_days_ms": (await _times(lambda p, g: view.post(p, g), [(young, grid)], rounds))["p50_ms"],
    }


async def _ask(conn: Connection, queries: tuple[str, ...], post: str, grid: Window) -> None:
    for query in queries:
        await fetch_rows(conn, query, {"post": post, "since": grid.since, "zone": grid.zone.key})


async def _times(
    ask: Callable[[str, Window], Awaitable[object]], asked: list[tuple[str, Window]], rounds: int
) -> dict[str, float]:
    """Milliseconds, in turns, after one round that does not count."""
    for post, grid in asked:
        await ask(post, grid)
    taken = []
    for _ in range(rounds):
        for post, grid in asked:
            started = perf_counter()
            await ask(post, grid)
            taken.append(1000 * (perf_counter() - started))
    return percentiles(taken)


def _grid(period: Period, bucket: Bucket) -> Window:
    return window(period, bucket, data.NOW)
