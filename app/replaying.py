"""Replays from the command line: words become a job, and a process that has no owner to wait for does it itself.

What a replay does is `consumers/engine/replay/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from app import views, wiring
from consumers.engine import jobs
from consumers.engine.options import Options
from consumers.engine.replay.request import KIND, Range, Replay
from consumers.engine.replay.source import count as count_events
from consumers.engine.runner import Runner
from runtime.errors import ConfigurationError
from runtime.postgres import Connection, Pool, connect, fetch_rows, open_pool
from runtime.settings import Settings
from runtime.statements import load

_SQL: Final = load(Path(views.__file__).parents[1] / "consumers" / "engine" / "sql" / "replay.sql")
#: A consumer that is just being restarted is waited for.
_OWNER_WITHIN: Final = 3.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed."""

    consumer: str
    start: str
    end: str
    key: str | None
    topics: tuple[str, ...]
    rate: float


async def count(settings: Settings, wanted: Wanted) -> dict[str, Any]:
    """What would be replayed."""
    async with connect(settings.database_url, name="stunity-replay") as conn:
        replay = await _understand(settings, conn, wanted)
        return await count_events(conn, wiring.archive(settings), replay)


async def ask(settings: Settings, wanted: Wanted) -> tuple[int, dict[str, Any]]:
    """Make the job; its id, and what it will replay."""
    async with connect(settings.database_url, name="stunity-replay") as conn:
        replay = await _understand(settings, conn, wanted)
        counted = await count_events(conn, wiring.archive(settings), replay)
        return await jobs.ask(conn, KIND, wanted.consumer, replay.dump(), counted["events"]), counted


async def work_if_nobody_does(settings: Settings, consumer: str, done: asyncio.Event) -> None:
    """Keep the view in this process until `done`, unless another process keeps it."""
    deadline = monotonic() + _OWNER_WITHIN
    async with connect(settings.database_url, autocommit=True, name="stunity-replay") as conn:
        while monotonic() < deadline and not done.is_set():
            if await jobs.owned(conn, consumer):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 0.2)
    async with _runner(settings, consumer) as runner:
        await runner.run(done)


async def _understand(settings: Settings, conn: Connection, wanted: Wanted) -> Replay:
    async with open_pool(settings.database_url, max_size=1) as pool:
        all_topics = await _topics(settings, wanted.consumer, pool)
    unknown = set(wanted.topics) - all_topics
    if unknown:
        raise ConfigurationError(
            f"{wanted.consumer} reads no topic {min(unknown)!r}: {', '.join(sorted(all_topics))}"
        )
    bounds = Range.between(wanted.start, wanted.end, datetime.now(UTC))
    [(snapshot, epoch, newest)] = await fetch_rows(conn, _SQL["now"])
    bounds = replace(bounds, to_id=min(bounds.to_id, newest))
    topics = tuple(sorted(wanted.topics or all_topics))
    return Replay(bounds, topics, snapshot, epoch, wanted.key, wanted.rate)


async def _topics(settings: Settings, consumer: str, pool: Pool) -> frozenset[str]:
    async with views.projection(consumer, settings, pool) as projection:
        return projection.topics


@asynccontextmanager
async def _runner(settings: Settings, consumer: str) -> AsyncIterator[Runner]:
    options = Options.of(settings.stunity_profile)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.database_url, max_size=5, name=f"stunity-{consumer}")
        )
        projection = await stack.enter_async_context(views.projection(consumer, settings, pool))
        # The log will do for so long; whoever keeps the view next finds the streams.
        yield Runner(projection, pool, None, options=options, archive=wiring.archive(settings))
