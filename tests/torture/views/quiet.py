"""Quiet points: nothing happens any more, dead letters are tried again, every view has to be what the truth says."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

import psycopg

from app import verification
from app.verification import Result
from consumers.engine import dead_letters
from outbox import counters
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.support.wait import until
from tests.torture.views.beside import Beside
from tests.torture.views.unruly import Kept

#: Much more than anything takes: for busy machines. Seconds.
PATIENCE: Final = 120.0
#: What is left open, or was set aside for another reason than poison; letters of a former view go with it.
_LETTERS: Final = """
SELECT consumer, topic, key, state, reason FROM engine.dead_letters
 WHERE consumer !~ '@' AND (state IN ('dead', 'waiting') OR reason !~ 'poison|waits behind')
"""
_RETRIES: Final = "SELECT count(*) FROM engine.dead_letters WHERE state = 'retry'"
_FILLS: Final = """
SELECT count(*) FROM engine.checkpoints
 WHERE consumer = ANY (%s) AND (checkpoint::jsonb ->> 'fill')::bigint >= coalesce((SELECT max(id) FROM outbox.fills), 0)
"""


class Diverged(AssertionError):
    """A view is not what the truth says."""


class Quiet:
    """Where the machine stands still."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        conn: psycopg.Connection[Any],
        kept: Mapping[str, Kept],
        beside: Beside,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._conn = conn
        self._kept = kept
        self._beside = beside

    async def reached(self, *, repair: bool) -> list[object]:
        """What is wrong, when all has settled; `repair`: what was damaged on purpose is mended before."""
        for kept in self._kept.values():
            kept.line.cuts = 0
            kept.check()
        await self._beside.end()
        await until(self._has_filled, PATIENCE, what="every view has heard of every fill")
        await count(self._pool)
        await self._cure()
        if repair:
            await self._verify(repair=True)
        results = await self._verify(repair=False)
        wrong: list[object] = [result.summary() for result in results if result.verdict != "equal"]
        return wrong + self._conn.execute(_LETTERS).fetchall()  # no outage makes one

    async def _cure(self) -> None:
        """The reason for the dead letters is mended, and an operator has them tried again."""
        cured = {name for name, kept in self._kept.items() if kept.line.poison}
        for kept in self._kept.values():
            kept.line.poison.clear()
        if not cured:
            return
        # What was said while there was poison has to be there before letters are counted: verify waits for that.
        await self._verify(repair=False)
        async with self._pool.connection() as conn:
            for name in cured:
                await dead_letters.ask_retry(conn, None, name)
        await until(self._has_retried, PATIENCE, what="every dead letter is tried again")

    def _has_retried(self) -> bool:
        return self._conn.execute(_RETRIES).fetchone() == (0,)

    def _has_filled(self) -> bool:
        return self._conn.execute(_FILLS, (list(self._kept),)).fetchone() == (len(self._kept),)

    async def _verify(self, *, repair: bool) -> list[Result]:
        """What can be said of every view, as soon as it can be said: on a busy machine a view may lag."""
        deadline = monotonic() + PATIENCE
        while True:
            results = await verification.verify(self._settings, self._pool, list(self._kept), repair=repair)
            if monotonic() > deadline or all(result.verdict != "unsettled" for result in results):
                return results


async def count(pool: Pool) -> None:
    """What the scheduler does every few seconds: tell how many likes and views posts have."""
    topics: tuple[counters.Topic, ...] = ("engagement", "view")
    for topic in topics:
        async with pool.connection() as conn:
            await counters.count(conn, topic)
