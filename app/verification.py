"""Proving that views equal the truth (I12): runs their verifiers, mends on demand, remembers the last result.

`stunity verify` and the scheduler's chore come through here. What is compared is each view's own `verification.py`.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from app.views import CONSUMERS
from consumers.engine.pace import Pace
from consumers.engine.verification import Differences, Key, Verifier
from runtime.errors import ConfigurationError, Retryable
from runtime.jobs import Actor
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_dicts, open_pool
from runtime.settings import Profile, Settings
from runtime.statements import load

log = structlog.get_logger(__name__)

_SQL: Final = load(Path(__file__).parent / "sql" / "verification.sql")

#: The scheduled comparison, and its queue: long and in no hurry, it must not hold up anything else.
VERIFY: Final = "verify"
QUEUE: Final = "verify"

Verdict = Literal["equal", "differs", "unsettled", "off"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of verifying one view; `differences` are those found before anything was mended."""

    view: str
    differences: Differences
    repaired: int = 0
    off: str | None = None

    @property
    def verdict(self) -> Verdict:
        """In one word. `unsettled`: it can't be said, the view lags or has no consumer."""
        if self.off:
            return "off"
        if self.differences.count:
            return "differs"
        return "unsettled" if self.differences.unsettled else "equal"

    def summary(self) -> dict[str, Any]:
        """For machines."""
        found = self.differences
        return {
            "view": self.view,
            "verdict": self.verdict,
            "compared": found.compared,
            "missing": _names(found.missing),
            "extra": _names(found.extra),
            "stale": _names(found.stale),
            "unsettled": _names(found.unsettled),
            "repaired": self.repaired,
            **({"reason": self.off} if self.off else {}),
        }


def verifier(name: str, settings: Settings, pool: Pool, pace: Pace) -> AbstractAsyncContextManager[Verifier]:
    """The verifier of a view.

    Raises:
        ConfigurationError: there is no such view.
    """
    if name not in CONSUMERS:
        raise ConfigurationError(f"no view {name!r}: there are {', '.join(CONSUMERS)}")
    module = importlib.import_module(f"consumers.{name}.verification")
    made: AbstractAsyncContextManager[Verifier] = module.verifier(settings, pool, pace)
    return made


async def verify(
    settings: Settings,
    pool: Pool,
    names: Sequence[str],
    *,
    repair: bool = False,
    pace: Pace | None = None,
    scheduled: bool = False,
) -> list[Result]:
    """Compare these views, all that are configured when none is named, and mend them if asked to.

    Results are remembered; a comparison that failed, only when it was `scheduled` and nobody else hears of it.

    Raises:
        Retryable: a store is away, or nobody mends.
        ConfigurationError: a view that was named is not configured.
    """
    results = []
    for name in names or CONSUMERS:
        try:
            results.append(await _verify_one(settings, pool, name, repair, pace or Pace(), scheduled))
        except ConfigurationError as error:
            if names:
                raise
            results.append(Result(name, Differences(name), off=str(error)))
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL: {error or type(error).__name__}") from error
    return results


async def _verify_one(
    settings: Settings, pool: Pool, name: str, repair: bool, pace: Pace, scheduled: bool
) -> Result:
    async with pool.connection() as conn:
        started_at: datetime = (await fetch_dicts(conn, _SQL["now"]))[0]["now"]
    try:
        async with verifier(name, settings, pool, pace) as one:
            found = await one.compare()
            repaired = await one.repair(found) if repair and found.count else 0
    except Retryable as error:
        if scheduled:  # else somebody is told, whose settings may be wrong: no news of the view
            await _remember(pool, started_at, Result(name, Differences(name)), str(error))
        raise
    result = Result(name, found, repaired)
    await _remember(pool, started_at, result, None)
    say = log.info if found.equal else log.warning
    say("verified", view=name, verdict=result.verdict, compared=found.compared, differ=found.count)
    return result


async def _remember(pool: Pool, started_at: datetime, result: Result, error: str | None) -> None:
    found = result.differences
    params = {
        "view": result.view,
        "started_at": started_at,
        "compared": found.compared,
        "missing": len(found.missing),
        "extra": len(found.extra),
        "stale": len(found.stale),
        "unsettled": len(found.unsettled),
        "repaired": result.repaired,
        "error": error,
    }
    async with pool.connection() as conn:
        await conn.execute(_SQL["remember"], params)


@asynccontextmanager
async def actors(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Sequence[Actor]]:
    """The job that compares every view now and then, slowly. It mends nothing: that is for somebody who has looked."""

    async def run() -> None:
        async with open_pool(settings.database_url, max_size=4, name="stunity-verify") as pool:
            await verify(settings, pool, (), pace=Pace(settings.verify_rows_per_second), scheduled=True)

    yield (Actor(VERIFY, run, queue=QUEUE, max_retries=3, priority=80, time_limit=6 * 3600),)


def chores(settings: Settings) -> list[tuple[str, str, timedelta]]:
    """When the job is asked for; never, if the setting says so."""
    slower = 4 if settings.stunity_profile is Profile.ECONOMY else 1
    minutes = settings.verify_every_minutes * slower
    return [(VERIFY, QUEUE, timedelta(minutes=minutes))] if minutes else []


async def last_results(conn: Connection) -> list[dict[str, Any]]:
    """What each view's last verification has found, for `status` and metrics."""
    return await fetch_dicts(conn, _SQL["last"])


def _names(keys: frozenset[Key]) -> list[str]:
    return [str(key) for key in sorted(keys)]
