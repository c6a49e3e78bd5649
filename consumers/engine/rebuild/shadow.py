"""What a view offers so that it can be rebuilt: its projection on another place of its store, and what only it knows.

Types only. Each view's `rebuild.py` implements `Shadows`; the order of things is `process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumers.engine.checkpoint import Refill
from consumers.engine.projection import Projection
from schemas.envelope import Event


def shadow_name(view: str, number: int) -> str:
    """The name under which the engine knows a shadow; it is also its consumer group's and its lease's."""
    return f"{view}@{number}"


@dataclass(frozen=True, slots=True)
class Sides:
    """The contents under the two names before an exchange, as the store calls them; `serving` is None when empty."""

    serving: str | None
    shadow: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A step of a fill that is in the store: go on behind `reached` after a crash.

    `rows` of the truth were read for it. `refused` are events that name what the store would not take; the engine
    applies them once more, the usual way, which sets them aside.
    """

    reached: Refill
    rows: int
    refused: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """Room of one kind that a shadow will take, and what there is; None when the store does not say."""

    what: str
    bytes: int
    free: int | None


class Shadows(Protocol):
    """One view's shadows. Every method raises Retryable while the store is away."""

    @property
    def view(self) -> str:
        """The view's name."""

    def projection(self, number: int) -> Projection:
        """The write side under the name `<view>@<number>`. Its `prepare` makes what is missing there."""

    async def fence(self, generation: int) -> None:
        """Have what serves refuse the writes of owners before this generation, and return when none is under way."""

    async def target(self, number: int) -> str:
        """What the view's verifier calls the shadow."""

    async def needs(self) -> Sequence[Need]:
        """What a second copy of the view takes, estimated from the first."""

    async def rows(self) -> int:
        """How many rows of the truth a fill reads, roughly: for the progress bar."""

    def fill(self, number: int, generation: int, after: Refill | None) -> AsyncIterator[Filled]:
        """Fill a prepared shadow with what the truth has now, fast; what changes meanwhile comes from the log."""

    async def complete(self, number: int) -> None:
        """After the fill, before following: build indexes, roll-ups, whatever is cheaper in one go. Idempotent."""

    async def accompany(self, number: int, stop: asyncio.Event) -> None:
        """What else has to go on while the shadow is followed, until `stop`; nothing for most views."""

    async def finish_off(self, number: int) -> bool:
        """Before the exchange: do at once, for a few seconds at most, what is still to be done beside.

        True when there was something: more may have been written meanwhile.
        """

    async def counts(self, number: int) -> Mapping[str, int]:
        """How many things of each kind the shadow holds."""

    async def expected(self, number: int) -> Mapping[str, int]:
        """How many it should hold by the truth of this moment, counted without the projection's mapping."""

    async def sides(self, number: int) -> Sides | None:
        """What stands under the two names now; None when there is nothing under the shadow's."""

    async def exchange(self, number: int, sides: Sides) -> None:
        """Let the two contents change names, at once for readers. Nothing when they have already.

        Raises:
            Moved: something else stands under the names.
        """

    async def drop(self, number: int) -> None:
        """Remove what stands under the shadow's name, if anything does."""


class Moved(Exception):
    """The store does not hold what the rebuild believes: it was wiped, or changed by hand."""
