"""Who turns texts into vectors: the contract, and the choice by settings.

`local.py` runs a model here, `huggingface.py` asks an API; `none` means that semantic features are off. Queueing,
retries and saving are `jobs.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from consumers.embeddings.schema import Embedding
from runtime.errors import Retryable


class Postponed(Retryable):
    """The backend takes nothing before `seconds` have passed: its rate or its quota is used up."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Backend(Protocol):
    """Embeds texts.

    Attributes:
        batch: how many texts to hand over at once.
    """

    batch: int

    async def embed(self, texts: Sequence[str]) -> Sequence[Embedding]:
        """The embeddings of the texts, in their order.

        Raises:
            Retryable: it is away.
            Postponed: it wants to be left alone for a while.
            Permanent: it will never take one of these texts.
        """


class Quota(Protocol):
    """A number of requests per calendar month, shared by all workers."""

    async def take(self) -> float:
        """Use one request; gives 0, or the seconds until the next month when none is left."""
