"""Fencing a content that has no other way: an empty batch of a newer generation, with the checkpoint that it has."""

from __future__ import annotations

from consumers.engine.projection import Batch, Projection, StoreForgot
from runtime.errors import Retryable


async def fence(projection: Projection, generation: int) -> None:
    """From now on the store refuses owners before this generation; nothing to refuse where there is no checkpoint.

    Raises:
        Retryable: the store is away, or has just been emptied or exchanged.
        StaleOwner: a newer owner has written.
    """
    await projection.prepare()
    checkpoint = await projection.read_checkpoint()
    if checkpoint is None:
        return
    try:
        await projection.apply(Batch((), checkpoint, generation))
    except StoreForgot as error:  # under our hands
        raise Retryable(f"to be fenced again: {error}") from error
