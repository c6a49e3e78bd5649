"""What the engine asks of a view's write side, and what it hands over. Types only, no behaviour.

A projection turns events into the state of one store. It owns that store's errors (`Retryable` when the store is
away) and stores the engine's checkpoint together with its effect. Reading the stream, leases, bisecting, dead
letters, catch-up and acknowledgement are the runner's (`runner.py`); reading the view is `reads.py` and the view's
own `view.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from schemas.envelope import Event


@dataclass(frozen=True, slots=True)
class Batch:
    """Events to apply at once, in stream order, oldest first; events of one key are never split over owners.

    `checkpoint` is opaque text: when the whole batch has been applied it belongs in the view's own store, in the
    same transaction or script where the store has one. `generation` is the owner's lease generation: a write
    that carries a smaller one than the store has seen comes from a paused former owner and must have no effect.
    `refill` says that the events were made from the truth, to fill an empty view.
    `expects` is the checkpoint that the engine knows to be in the store: one that holds neither this nor
    `checkpoint` itself (the same write, repeated) went back or was exchanged, and must raise StoreForgot. None: it
    does not matter what is there. `replayed` says that the events were in the view before, and what undid them may
    have been as well: a view that takes facts from events asks the truth whether they still stand.
    """

    events: Sequence[Event]
    checkpoint: str
    generation: int
    refill: bool = False
    expects: str | None = None
    replayed: bool = False

    def keys(self, *topics: str) -> list[str]:
        """The distinct keys of the batch's events in these topics, in order of first appearance."""
        return list(dict.fromkeys(event.key for event in self.events if event.topic in topics))

    def follows(self, found: str | None) -> bool:
        """Whether a store that holds the checkpoint `found` is the one that this batch was made for."""
        return self.expects is None or found in (self.expects, self.checkpoint)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that the store will never take, and why. The runner sets it aside and parks its key.

    `trace` says where it failed, when it was our own code that could not digest it.
    """

    event: Event
    reason: str
    trace: str | None = None


class StaleOwner(Exception):
    """The store has seen a newer generation: this process lost its lease while it was paused. Stop at once."""


class StoreForgot(Exception):
    """The store was emptied, exchanged or put back to an earlier state under the running consumer.

    A projection raises it from `apply` when the store's checkpoint is not what the batch `expects`, or missing
    although the batch says `refill=False`; the engine also looks by itself after every outage, and now and then. The
    view goes on from what its store says then, or is filled again.
    """


class Projection(Protocol):
    """The write side of one view.

    It may also have `facts`, the topics whose events count each by itself (by default `FACT_TOPICS`; see
    `dead_letters.py`), `filled_from` (see `Log`), and wishes of its own (see `Options.suiting`).
    """

    topics: ClassVar[frozenset[str]]

    @property
    def name(self) -> str:
        """Who the engine takes it for: the view's name, `<view>@<number>` for a shadow (`rebuild/`)."""

    async def prepare(self) -> None:
        """Make what the view needs in its store (collections, tables, scripts). Idempotent.

        A part of the view that had to be made anew is empty: then no checkpoint may survive beside it.

        Raises:
            Retryable: the store is away.
        """

    async def read_checkpoint(self) -> str | None:
        """The checkpoint kept in the view's own store; None when the store has none (new, wiped, restored empty)."""

    async def clear(self, generation: int) -> None:
        """Take out what a fill from the truth, which follows, would not write over. The checkpoint stays.

        A fill reads what there is. What is gone from the truth, and nobody tells of any more, must be gone from the
        view before: the whole content, or what is looked up to be missing there. Idempotent.

        Raises:
            Retryable: the store is away.
            StaleOwner: another owner has taken over.
            StoreForgot: there is no such view any more.
        """

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Apply a batch and store its checkpoint; applying it again changes nothing. An empty batch only stores it.

        Raises:
            Retryable: the store is away or busy; nothing may be concluded of the batch.
            StaleOwner: another owner has taken over.
            StoreForgot: see there.
        """
