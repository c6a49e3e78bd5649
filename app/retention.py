"""Retention of the log, every quarter of an hour: by the scheduler itself, or by the worker where facts are archived.

When a day goes is `outbox/retention.py`'s, who needs it `consumers/engine/needs.py`'s; the two do not know each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from app import wiring
from app.scheduler import Chore, job_chores
from consumers.engine.needs import log_needs
from outbox import retention
from outbox.partitions import Upkeep
from outbox.retention import Need
from runtime import jobs
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.archive import Archive

log = structlog.get_logger(__name__)

_ACTOR: Final = "log.retire"
_EVERY: Final = timedelta(minutes=15)
#: A day of many million facts takes minutes to archive.
_ARCHIVE_WITHIN: Final = 6 * 3600.0


def chores(settings: Settings) -> list[Chore]:
    """Writing files is no work for the scheduler: it asks the worker for it."""
    if settings.archive_url:
        return job_chores([(_ACTOR, jobs.DEFAULT_QUEUE, _EVERY)])
    return [Chore("retention", _EVERY, retire, limit=timedelta(minutes=10))]


@asynccontextmanager
async def actors(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Sequence[jobs.Actor]]:
    """The worker's part."""

    async def run() -> None:
        async with connect(settings.database_url, name="stunity-retention") as conn:
            log.info("retention", result=str(await retire(conn, wiring.archive(settings))))

    yield [jobs.Actor(_ACTOR, run, time_limit=_ARCHIVE_WITHIN)]


async def retire(conn: Connection, archive: Archive | None = None) -> Upkeep:
    """Let go of what nobody needs any more."""
    async with conn.transaction():
        needs = [Need(*row) for row in await log_needs(conn)]
    return await retention.retire(conn, needs, archive)
