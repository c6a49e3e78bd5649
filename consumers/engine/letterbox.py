"""The dead letters of one running consumer: what it sets aside, holds back behind, and settles.

Which rows that means is `dead_letters.py`; when an event is poison is decided in `applier.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog

from consumers.engine import dead_letters
from consumers.engine.dead_letters import Letter
from consumers.engine.log import Log
from consumers.engine.patience import Patience
from consumers.engine.projection import Rejection
from runtime import telemetry
from runtime.postgres import Connection
from schemas.envelope import Event

log = structlog.get_logger(__name__)


class Letterbox:
    """Remembers which keys are parked, and writes letters however long PostgreSQL is away."""

    def __init__(self, consumer: str, source: Log, patience: Patience, facts: Collection[str]) -> None:
        self._consumer = consumer
        self._log = source
        self._patience = patience
        self._facts = facts
        self._parked = dead_letters.ParkedKeys(facts)

    async def refresh(self) -> None:
        """Learn which keys have open letters: an operator may have discarded some.

        Raises:
            Retryable: PostgreSQL is away.
        """
        async with self._log.connection() as conn:
            await self._parked.refresh(conn, self._consumer)

    async def hold_back(self, events: Sequence[Event]) -> Sequence[Event]:
        """Put those that must wait behind a letter in line; the others are ready."""
        ready, waiting = self._parked.split(events)
        if waiting:
            await self._write(lambda conn: dead_letters.keep_waiting(conn, self._consumer, waiting))
        return ready

    async def settle(self, events: Sequence[Event], rejections: Sequence[Rejection]) -> None:
        """A batch has been applied but for these: letters for them, and an end to letters that it supersedes."""
        if rejections:
            await self._set_aside(events, rejections)
        rejected = {id(rejection.event) for rejection in rejections}
        settled = self._parked.superseded_by(event for event in events if id(event) not in rejected)
        if settled:
            await self._write(lambda conn: dead_letters.supersede(conn, self._consumer, settled))
            await self._patience.insist(self.refresh)

    async def next_retry(self) -> Letter | None:
        """The letter that is to be applied again next.

        Raises:
            Retryable: PostgreSQL is away.
        """
        async with self._log.connection() as conn:
            return await dead_letters.next_retry(conn, self._consumer)

    async def retried(self, letter: Letter, failure: str | None) -> None:
        """The letter has been applied (`failure` is None), or is dead again."""
        await self._write(lambda conn: dead_letters.retried(conn, self._consumer, letter, failure))

    async def _set_aside(self, events: Sequence[Event], rejections: Sequence[Rejection]) -> None:
        # Later facts of the same keys went into the view already: once more, behind the letter, when that is time.
        behind = dead_letters.behind(rejections, events, self._facts)

        async def write(conn: Connection) -> None:
            await dead_letters.set_aside(conn, self._consumer, rejections, self._facts)
            await dead_letters.keep_waiting(conn, self._consumer, behind)

        await self._write(write)
        self._parked.park(rejection.event for rejection in rejections)
        telemetry.CONSUMER_DEAD_LETTERS.labels(self._consumer).inc(len(rejections))
        reason = rejections[0].reason[:200]
        log.warning("dead_letters", consumer=self._consumer, count=len(rejections), reason=reason)

    async def _write(self, write: Callable[[Connection], Awaitable[None]]) -> None:
        async def once() -> None:
            async with self._log.connection() as conn:
                await write(conn)

        await self._patience.insist(once)
