"""The write side: from a batch of events to the things they are about. Their texts are read from the truth.

An event only names a key, so a repeated, late or reordered one ends in the same documents and can bring nothing back.
The text work and SQL are `store.py`; the model runs in the worker (`jobs.py`); order, retries and leases are the
engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from consumers.embeddings.schema import Touched
from consumers.embeddings.store import EmbeddingStore
from consumers.engine.projection import Batch, Rejection

VIEW: Final = "embeddings"
_ENGAGEMENT: Final = frozenset({"engagement", "view"})


class EmbeddingsProjection:
    """Keeps `embeddings.documents` equal to the texts of the truth, and queues what has no vector yet."""

    topics: ClassVar[frozenset[str]] = frozenset({"post", "course", "user", *_ENGAGEMENT})

    def __init__(self, store: EmbeddingStore, name: str = VIEW) -> None:
        self.name = name
        self._store = store

    async def prepare(self) -> None:
        """See `EmbeddingStore.prepare`."""
        await self._store.prepare()

    async def read_checkpoint(self) -> str | None:
        """See `EmbeddingStore.read_checkpoint`."""
        return await self._store.read_checkpoint()

    async def clear(self, generation: int) -> None:
        """See `EmbeddingStore.clear`."""
        await self._store.clear(generation)

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """See `EmbeddingStore.write`; no event is ever refused."""
        await self._store.write(touched(batch), batch)
        return ()


def touched(batch: Batch) -> Touched:
    """What the events of a batch are about."""
    people = (event.data.get("userId") for event in batch.events if event.topic in _ENGAGEMENT)
    return Touched(
        posts=batch.keys("post"),
        courses=batch.keys("course"),
        users=batch.keys("user"),
        engaged=[person for person in dict.fromkeys(people) if isinstance(person, str)],
        refill=batch.refill,
    )
