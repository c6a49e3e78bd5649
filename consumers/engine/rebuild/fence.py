"""Fencing a content that has no other way: an empty batch of a newer generation, with the checkpoint that it has."""

from __future__ import annotations

from consumers.engine.projection import Batch, Projection


async def fence(projection: Projection, generation: int) -> None:
    """From now on the store refuses owners before this generation; nothing to refuse where there is no checkpoint."""
    await projection.prepare()
    checkpoint = await projection.read_checkpoint()
    if checkpoint is not None:
        await projection.apply(Batch((), checkpoint, generation))
