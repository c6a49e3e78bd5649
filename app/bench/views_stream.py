"""From the log through the relay and the stream to the tables: a backlog of views, real processes, wall-clock time."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any, Final

from app.bench.servers import Servers
from app.bench.views_data import Facts
from app.stack.ours import stunity
from runtime.postgres import Connection, fetch_rows

_PATIENCE: Final = 120.0
_BACKLOG: Final = """
INSERT INTO outbox.events (topic, type, key, data)
SELECT 'view', 'post.viewed.v1', 'cpost' || lpad(floor(%(posts)s * power(random(), 2))::int::text, 19, '0'),
       jsonb_build_object('id', 's' || n, 'userId', 'cuser' || lpad(floor(%(people)s * random())::int::text, 19, '0'),
                          'at', to_char((now() - (%(count)s - n) * interval '10 ms') AT TIME ZONE 'UTC',
                                        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                          'source', 'feed', 'duration', 12, 'weight', 1)
  FROM generate_series(1, %(count)s) AS n
"""
_ARRIVED: Final = "SELECT FROM analytics.post_views_ts WHERE fact_id = %s"
_LIVE: Final = "SELECT FROM engine.checkpoints WHERE consumer = 'analytics' AND state = 'live'"


async def measure(on: Servers, conn: Connection, facts: Facts, say: Callable[[str], None]) -> dict[str, Any]:
    """Events per second of a backlog that is committed at once, until its last view is in the table."""
    count = min(facts.ingest, 100_000)
    say(f"{count:,} views from the log through the stream …")
    with ExitStack() as processes:
        for command in (("relay",), ("consume", "analytics")):
            processes.enter_context(_running(on, *command))
        await _until(conn, _LIVE, ())
        await conn.execute(_BACKLOG, {"posts": facts.posts, "people": facts.people, "count": count})
        await conn.commit()
        started = perf_counter()
        await _until(conn, _ARRIVED, (f"s{count}",))
        rate = count / (perf_counter() - started)
        [(arrived,)] = await fetch_rows(
            conn, "SELECT count(*) FROM analytics.post_views_ts WHERE fact_id LIKE %s", ("s%",)
        )
    return {"events_per_s": round(rate), "events": count, "missing": count - arrived}


async def _until(conn: Connection, query: str, params: tuple[Any, ...]) -> None:
    deadline = perf_counter() + _PATIENCE
    while not await fetch_rows(conn, query, params):
        await conn.commit()
        if perf_counter() > deadline:
            raise TimeoutError(f"not within {_PATIENCE:g} s: {query}")
        await asyncio.sleep(0.02)
    await conn.commit()


@contextmanager
def _running(on: Servers, *command: str) -> Iterator[None]:
    environment = {**os.environ, "DATABASE_URL": on.database_url, "REDIS_URL": on.redis_url}
    with (on.folder / f"{command[-1]}.log").open("wb") as log:
        process = subprocess.Popen(stunity(*command), env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
