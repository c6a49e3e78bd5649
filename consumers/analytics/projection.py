"""The write side of analytics: a batch of events becomes one transaction on the time-series database.

The mapping is `facts.py`, the statements are `store.py`; order, retries, leases and acknowledgement are the
engine's. Unlike the other views this one takes facts from the events themselves: a fact never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from consumers.analytics.facts import fold
from consumers.analytics.store import AnalyticsStore
from consumers.engine.projection import Batch, Rejection

VIEW: Final = "analytics"


class AnalyticsProjection:
    """Keeps `post_views_ts`, `engagement_ts`, `school_activity_ts` and their hourly roll-ups."""

    topics: ClassVar[frozenset[str]] = frozenset({"view", "engagement", "post", "quiz", "user"})

    #: A post that is written and a user who is deleted count by themselves here; what comes later says nothing of them.
    facts: ClassVar[frozenset[str]] = topics

    #: What a batch costs by itself is shared by more facts; one that waits is not kept waiting for others.
    batch_events: ClassVar[int] = 2000

    def __init__(self, store: AnalyticsStore, name: str = VIEW) -> None:
        self.name = name
        self._store = store

    async def prepare(self) -> None:
        """Install the tables; see `schema.install`."""
        await self._store.prepare()

    async def read_checkpoint(self) -> str | None:
        """The checkpoint kept beside the facts."""
        return await self._store.read_checkpoint()

    async def clear(self, generation: int) -> None:
        """Empty all tables but the checkpoint's."""
        await self._store.clear(generation)

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Insert, remove and recount; see the class of errors in `Projection.apply`."""
        changes, unusable = fold(batch.events)
        await self._store.write(changes, batch)
        return [Rejection(event, reason) for event, reason in unusable]
