"""What a view's store is known to hold, word for word: so that one that was emptied, exchanged or put back is noticed.

Every write goes through here and names the checkpoint that it follows (`Batch.expects`). When the outcome of a write
is not known, two checkpoints are right. What to write, and what to do about failures, is `applier.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers.engine.checkpoint import Checkpoint
from consumers.engine.lease import check_generation
from consumers.engine.log import Log
from consumers.engine.projection import Batch, Projection, Rejection, StoreForgot
from runtime.errors import Retryable
from schemas.envelope import Event


class Held:
    """One projection's store under one lease generation."""

    def __init__(self, projection: Projection, source: Log, generation: int) -> None:
        self._projection = projection
        self._log = source
        self._generation = generation
        self._kept: str | None = None
        self._sent: str | None = None

    async def open(self) -> str | None:
        """Prepare the store; the checkpoint that is in it.

        Raises:
            Retryable: the store is away.
        """
        await self._projection.prepare()
        self._kept, self._sent = await self._projection.read_checkpoint(), None
        return self._kept

    async def write(
        self, events: Sequence[Event], reached: Checkpoint, *, refill: bool = False, replayed: bool = False
    ) -> Sequence[Rejection]:
        """Apply a batch; raises what `Projection.apply` raises."""
        batch = Batch(events, reached.dump(), self._generation, refill, self._kept, replayed)
        self._sent = batch.checkpoint
        rejections = await self._projection.apply(batch)
        self._kept = batch.checkpoint
        return rejections

    async def check(self) -> None:
        """Compare the store's checkpoint with the last one that was stored.

        Raises:
            StoreForgot: it is gone, or another one: the store was emptied, exchanged or put back.
            StaleOwner: it is a successor's.
            Retryable: the store is away.
        """
        try:
            text = await self._projection.read_checkpoint()
        except Retryable:
            raise
        except Exception as error:  # what held the checkpoint has been dropped: as good as empty
            raise StoreForgot(f"{self._projection.name}: {error}") from error
        if text is None:
            raise StoreForgot(f"{self._projection.name}: the store has lost its checkpoint")
        if text not in (self._kept, self._sent):
            await self._check_ownership()
            raise StoreForgot(
                f"{self._projection.name}: the store holds another checkpoint than it was given"
            )
        self._kept = text

    async def _check_ownership(self) -> None:
        async with self._log.connection() as conn:
            await check_generation(conn, self._projection.name, self._generation)
