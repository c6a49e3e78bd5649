"""The scheduler: short, recurring chores, each run by one process at a time and never by two at once.

Any number of schedulers may run. A chore belongs to whoever claims its row in `outbox.jobs`, for no longer than its
time limit; the row also says when it last ran and how that ended. Nothing rests on session state, so any pooler
will do. Heavy work is not done here but handed to the worker (app/jobs.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from outbox import counters, partitions
from runtime import jobs
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool
from runtime.settings import Profile

log = structlog.get_logger(__name__)

#: Longest sleep between two looks at the table, and the pause after PostgreSQL was away. Seconds.
_LONGEST_SLEEP: Final = 5.0
#: A claim outlives its chore's time limit by this much: the chore has certainly ended before another may begin.
_GRACE: Final = timedelta(seconds=30)

_ENROL_SQL: Final = "INSERT INTO outbox.jobs (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"

_CLAIM_SQL: Final = """
UPDATE outbox.jobs SET started_at = clock_timestamp(), leased_until = clock_timestamp() + %(lease)s
 WHERE name = %(name)s AND due_at <= clock_timestamp()
   AND (leased_until IS NULL OR leased_until < clock_timestamp())
RETURNING started_at
"""

_FINISH_SQL: Final = """
UPDATE outbox.jobs SET finished_at = clock_timestamp(), leased_until = NULL, due_at = started_at + %(every)s,
       runs = runs + 1, failures = failures + (%(error)s::text IS NOT NULL)::integer,
       result = coalesce(%(result)s, result), error = %(error)s
 WHERE name = %(name)s AND started_at = %(started_at)s
"""

_NEXT_SQL: Final = """
SELECT extract(epoch FROM min(greatest(due_at, leased_until)) - clock_timestamp())::float
  FROM outbox.jobs WHERE name = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class Chore:
    """What to do, how often, and when to give up. It gets a connection that is not inside a transaction."""

    name: str
    every: timedelta
    run: Callable[[Connection], Awaitable[object]]
    limit: timedelta = timedelta(minutes=1)


class Scheduler:
    """Runs chores when they are due."""

    def __init__(self, pool: Pool, chores: Sequence[Chore]) -> None:
        self._pool = pool
        self._chores = chores

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: a chore that has begun is finished first. PostgreSQL being away only costs time."""
        while not stop.is_set():
            pause = _LONGEST_SLEEP
            try:
                await self.run_once()
                pause = await self._until_next()
            except (*TRANSIENT, Retryable) as error:
                log.warning("scheduler_waits", reason=str(error).strip())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def run_once(self) -> list[str]:
        """Run what is due and not being run elsewhere; returns the names."""
        await self._enrol()
        return [chore.name for chore in self._chores if await self._run_if_due(chore)]

    async def _enrol(self) -> None:
        async with self._pool.connection() as conn:
            await conn.execute(_ENROL_SQL, ([chore.name for chore in self._chores],))

    async def _run_if_due(self, chore: Chore) -> bool:
        started_at = await self._claim(chore)
        if started_at is None:
            return False
        result, error = await self._attempt(chore)
        await self._finish(chore, started_at, result, error)
        return True

    async def _claim(self, chore: Chore) -> datetime | None:
        async with self._pool.connection() as conn:
            parameters = {"name": chore.name, "lease": chore.limit + _GRACE}
            row = await (await conn.execute(_CLAIM_SQL, parameters)).fetchone()
        return row[0] if row else None

    async def _attempt(self, chore: Chore) -> tuple[str | None, str | None]:
        """The result, or the error, as texts. One chore's failure is not the others'."""
        try:
            async with asyncio.timeout(chore.limit.total_seconds()), self._pool.connection() as conn:
                return str(await chore.run(conn)), None
        except TimeoutError:
            error = f"not done within {chore.limit}"
        except Exception as failure:  # recorded, logged, and tried again when it is due again
            error = f"{type(failure).__name__}: {failure}".strip()
        log.error("chore_failed", chore=chore.name, error=error)
        return None, error

    async def _finish(
        self, chore: Chore, started_at: datetime, result: str | None, error: str | None
    ) -> None:
        outcome = {"result": result, "error": error, "name": chore.name, "every": chore.every}
        async with self._pool.connection() as conn:
            await conn.execute(_FINISH_SQL, {**outcome, "started_at": started_at})

    async def _until_next(self) -> float:
        async with self._pool.connection() as conn:
            names = [chore.name for chore in self._chores]
            row = await (await conn.execute(_NEXT_SQL, (names,))).fetchone()
        return min(_LONGEST_SLEEP, max(0.05, row[0])) if row and row[0] is not None else _LONGEST_SLEEP


def outbox_chores(profile: Profile) -> list[Chore]:
    """The upkeep of the log. `economy` counts less often."""
    slower = 10 if profile is Profile.ECONOMY else 1
    return [
        Chore("partitions", timedelta(hours=1), partitions.make_ahead, limit=timedelta(minutes=5)),
        Chore("counters", timedelta(seconds=2 * slower), _count_engagement),
        Chore("view_counters", timedelta(seconds=15 * slower), _count_views),
    ]


def job_chores(actors: Sequence[tuple[str, str, timedelta]]) -> list[Chore]:
    """Recurring work of the worker, which the chore only asks for. Actors by name, queue and how often."""
    return [Chore(name, every, partial(_ask, name, queue)) for name, queue, every in actors]


async def _ask(actor: str, queue: str, conn: Connection) -> str:
    await jobs.enqueue(conn, actor, queue=queue, once=True)
    return "asked for"


async def _count_engagement(conn: Connection) -> str:
    return f"{await counters.count(conn, 'engagement')} posts"


async def _count_views(conn: Connection) -> str:
    return f"{await counters.count(conn, 'view')} posts"
