"""How far the index is, kept in the index itself, with a journal of writes whose fate is not known yet.

Typesense has no compare-and-set, and a request that timed out, or that a paused former owner sends when it wakes up,
can arrive late and put an older document over a newer one (I7). So the keys of a batch are journalled before they
are written. Whoever finds a journal that its writer did not close (a successor after a takeover, the same owner after
a timeout) reads those keys again from the truth and writes what is there now: at once, and once more when the late
request must have ended. An owner that has been overtaken while it was writing journals its keys again for the new
one. What remains is a former owner that is paused inside its last write for longer than `LATE_SECONDS` and then
dies before its next step; `verify` finds what that leaves.

What was filled is told from what was made anew by somebody else, and is empty, by when it was made: the checkpoint is
that of these collections.

Documents: `state` (checkpoint, generation, when the collections were made) and one `g<generation>` per journal (keys by
kind).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from consumers.search.connection import NotThere
from consumers.search.schema import KINDS, Document, Kind, checkpoint_collection
from consumers.search.store import Typesense

#: A request is over, one way or another, this long after it was sent: well above the client's timeout.
LATE_SECONDS: Final = 60.0

Keys = dict[Kind, list[str]]


def merge(*parts: Keys) -> Keys:
    """The distinct keys of several sets, by kind."""
    return {
        kind: list(dict.fromkeys(key for part in parts for key in part.get(kind, ())))
        for kind in KINDS
        if any(part.get(kind) for part in parts)
    }


@dataclass(slots=True, eq=False)
class _Suspect:
    """Keys that a late request may still overwrite, until `over`; `answered` when they were written after that.

    `told`: its writer has said itself that it was overtaken; until then it may still be writing.
    """

    keys: Keys
    over: float
    told: bool = False
    mended: bool = False
    answered: bool = False

    def is_due(self, now: float) -> bool:
        """Whether the keys belong into the next write."""
        return not self.mended or self.over < now


@dataclass(slots=True)
class Checkpoint:
    """The engine's checkpoint and the journal of one index; `open` before a write, `close` after it."""

    store: Typesense
    prefix: str
    clock: Callable[[], float] = monotonic
    suffix: str = ""
    made: dict[Kind, int] = field(default_factory=dict)
    _suspects: dict[str, _Suspect] = field(default_factory=dict)
    _unsettled: list[_Suspect] = field(default_factory=list)
    _in_flight: Keys = field(default_factory=dict)
    _generation: int | None = None

    @property
    def collection(self) -> str:
        """The collection that holds it."""
        return checkpoint_collection(self.prefix, self.suffix)

    async def create(self) -> None:
        """Make the collection, empty."""
        await self.store.create(
            {"name": self.collection, "fields": [{"name": "generation", "type": "int64"}]}
        )

    async def read(self, made: Mapping[Kind, int]) -> str | None:
        """The engine's checkpoint, or None, also when the collections that are there are not those it speaks of."""
        state = _state_in(await self.store.everything(self.collection) or ())
        return state["checkpoint"] if state and state.get("made", made) == made else None

    async def forget(self) -> None:
        """The index is new and empty: whatever was applied before is gone."""
        await self.store.delete(self.collection, ["state"])

    async def check(self, generation: int) -> None:
        """Nothing, for the newest owner.

        Raises:
            StaleOwner: another owner has been here.
            NotThere: the collection is gone.
        """
        await self._documents(generation)

    async def remade(self, generation: int, made: dict[Kind, int]) -> None:
        """The owner has made the collections anew: its checkpoint is that of these.

        Raises:
            StaleOwner: another owner has been here.
            NotThere: the collection is gone.
        """
        self.made = made
        checkpoint = _checkpoint_in(await self._documents(generation))
        if checkpoint is not None:
            await self.store.upsert(self.collection, [self._state(generation, checkpoint)])

    async def open(self, batch: Batch, keys: Keys) -> Keys:
        """Journal a write before it begins; returns its keys together with those that have to be mended with it.

        Raises:
            StaleOwner: another owner has been here.
            StoreForgot: the index does not hold the checkpoint that the batch follows.
        """
        generation = batch.generation
        documents = await self._documents(generation)
        if not batch.follows(_checkpoint_in(documents)):
            raise StoreForgot("the index does not hold the checkpoint that it was given")
        self._adopt(documents, generation)
        self._doubt_last_write()
        now = self.clock()
        due = [one for one in self._questions() if one.is_due(now)]
        work = merge(keys, *(one.keys for one in due))
        if work:
            doubts = [one.keys for one in self._unsettled]
            await self.store.upsert(self.collection, [_journal(generation, merge(work, *doubts))])
        self._in_flight = work
        for one in due:
            one.mended, one.answered = True, one.over < now
        return work

    async def close(self, generation: int, checkpoint: str) -> None:
        """Store the checkpoint of a write that has ended, and close its journal.

        Raises:
            StaleOwner: another owner has begun meanwhile; what was written is left in the journal for it.
        """
        try:
            await self._documents(generation)
        except StaleOwner:
            await self.store.upsert(self.collection, [_journal(generation, self._in_flight, told=True)])
            raise
        self._unsettled = [one for one in self._unsettled if not one.answered]
        doubts = merge(*(one.keys for one in self._unsettled))
        journal = _journal(generation, doubts)
        await self.store.upsert(self.collection, [self._state(generation, checkpoint), journal])
        self._in_flight = {}
        answered = [name for name, one in self._suspects.items() if one.answered]
        await self.store.delete(self.collection, answered)
        for name in answered:
            del self._suspects[name]

    def _state(self, generation: int, checkpoint: str) -> dict[str, Any]:
        return {"id": "state", "generation": generation, "checkpoint": checkpoint, "made": self.made}

    async def _documents(self, generation: int) -> list[Document]:
        documents = await self.store.everything(self.collection)
        if documents is None:
            raise NotThere(f"{self.collection} is gone")
        newest = max((one["generation"] for one in documents), default=generation)
        if newest > generation:
            raise StaleOwner(f"generation {generation} has been followed by {newest}")
        return documents

    def _adopt(self, documents: list[Document], generation: int) -> None:
        """Take over the open journals of former owners, and our own of before a restart."""
        over = self.clock() + LATE_SECONDS
        for one in documents:
            if one["id"] == "state":
                continue
            if one["generation"] == generation:
                if self._generation != generation and one["keys"]:
                    self._unsettled.append(_Suspect(one["keys"], over))
                continue
            known = self._suspects.get(one["id"])
            if known is None or (known.keys, known.told) != (one["keys"], one["told"]):  # a new question
                self._suspects[one["id"]] = _Suspect(one["keys"], over, one["told"])
        self._generation = generation

    def _doubt_last_write(self) -> None:
        """A write that did not reach `close` may still be under way."""
        if not self._in_flight:
            return
        covered = [one for one in self._unsettled if merge(self._in_flight, one.keys) == self._in_flight]
        self._unsettled = [one for one in self._unsettled if one not in covered]
        self._unsettled.append(_Suspect(self._in_flight, self.clock() + LATE_SECONDS))
        self._in_flight = {}

    def _questions(self) -> list[_Suspect]:
        return [*self._suspects.values(), *self._unsettled]


def _state_in(documents: Iterable[Document]) -> Document | None:
    return next((one for one in documents if one["id"] == "state"), None)


def _checkpoint_in(documents: Iterable[Document]) -> str | None:
    state = _state_in(documents)
    return state["checkpoint"] if state else None


def _journal(generation: int, keys: Keys, *, told: bool = False) -> dict[str, Any]:
    return {"id": f"g{generation}", "generation": generation, "keys": keys, "told": told}
