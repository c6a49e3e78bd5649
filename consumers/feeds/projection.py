"""The write side of feeds: a batch of events becomes one query on PostgreSQL and one script on Redis.

An event names what changed; the posts written are those that stand in the truth when the batch is applied, so that a
repeated, belated or reordered event changes nothing, and a deleted post cannot come back. `mapping.py` decides what
an event touches, `truth.py` reads it, `lua/apply.lua` writes it together with the checkpoint. Ranking is done by
whoever reads (`view.py`); leases, order, retries and acknowledgement are the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch, Rejection
from consumers.feeds import truth
from consumers.feeds.mapping import Touched, touched
from consumers.feeds.store import Changes, FeedStore
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool

VIEW: Final = "feeds"


class FeedsProjection:
    """Keeps the pools, the posts in them, and the versions by which pages know that they are out of date."""

    topics: ClassVar[frozenset[str]] = frozenset(
        {"post", "engagement", "user", "follow", "block", "club", "course"}
    )

    def __init__(self, store: FeedStore, pool: Pool, name: str = VIEW) -> None:
        self.name = name
        self._store = store
        self._pool = pool

    async def prepare(self) -> None:
        """Find the view in Redis, or begin an empty one."""
        await self._store.prepare()

    async def read_checkpoint(self) -> str | None:
        """The checkpoint kept beside the pools."""
        return await self._store.read_checkpoint()

    async def clear(self, generation: int) -> None:
        """Begin another life of the view, empty, under the same name and checkpoint."""
        await self._store.clear(generation)

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Write what the batch's keys are now; no event is ever refused, its content is not used."""
        found = touched(batch.events, refill=batch.refill)
        changes = await self._changes(batch, found)
        await self._store.apply(changes, batch.checkpoint, batch.generation, expects=batch.expects)
        return []

    async def _changes(self, batch: Batch, found: Touched) -> Changes:
        moved = [f"u:{user}" for user in found.viewers] + [f"i:{user}" for user in found.actors]
        if not batch.events:
            return Changes(moved=moved)
        try:
            async with self._pool.connection() as conn:
                await wait_until_visible(conn, batch.events)
                posts, gone = await truth.posts_of_batch(conn, found.posts, found.authors)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        return Changes(posts, gone, moved)
