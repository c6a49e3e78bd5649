"""What a verifier of a view is, and what it finds. Also the two looks that tell a difference from a change under way.

A verifier compares its view with the truth key by key while both go on changing. A difference that is seen once may
be an event on its way, so `confirm` looks at those keys again after the view has passed everything that was committed
before (`passing.py`); only what the truth still says, and the view still does not, is reported.
What a view should hold comes from the truth by SQL and code of the verifier's own (each view's `verification.py`),
never from the mapping by which the view is written. Comparing large sets in buckets is `comparison.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple, Protocol

#: Waits until the view has applied all that is committed at the time of the call; False when it does not in time.
Settle = Callable[[], Awaitable[bool]]

#: A key that the truth changes between any two of so many looks is left unsettled.
MOST_LOOKS: Final = 6


class Key(NamedTuple):
    """One thing that a view holds: `part` is a collection, a table, a kind; `id` is opaque."""

    part: str
    id: str

    def __str__(self) -> str:
        return f"{self.part}/{self.id}"


class Wrong(StrEnum):
    """How a view differs from the truth at a key."""

    MISSING = "missing"
    EXTRA = "extra"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Fault:
    """A difference seen in one look. `wanted` stands for what the truth said then: two equal ones, no change."""

    wrong: Wrong
    wanted: int | None = None


@dataclass(slots=True)
class Look:
    """What one look at a view, or at some keys of it, has seen."""

    compared: int = 0
    faults: dict[Key, Fault] = field(default_factory=dict)

    def add(self, other: Look) -> None:
        """Take in what was seen of another part."""
        self.compared += other.compared
        self.faults |= other.faults


@dataclass(frozen=True, slots=True)
class Differences:
    """What is wrong with a view; nothing, when it is equal.

    Attributes:
        view: its name.
        compared: how many keys were compared.
        missing: the truth has them, the view does not.
        extra: the view has them, the truth does not (any more).
        stale: both have them, and not alike.
        unsettled: seen to differ, but the view has not passed the position since, or the truth changed at each look.
    """

    view: str
    compared: int = 0
    missing: frozenset[Key] = frozenset()
    extra: frozenset[Key] = frozenset()
    stale: frozenset[Key] = frozenset()
    unsettled: frozenset[Key] = frozenset()

    @property
    def count(self) -> int:
        """How many keys certainly differ."""
        return len(self.missing) + len(self.extra) + len(self.stale)

    @property
    def equal(self) -> bool:
        """Whether the view holds exactly what the truth says, for certain."""
        return not self.count and not self.unsettled

    def every(self) -> frozenset[Key]:
        """All keys that certainly differ."""
        return self.missing | self.extra | self.stale


class Verifier(Protocol):
    """Compares one view with the truth, and mends it where they differ."""

    name: ClassVar[str]

    async def compare(self, target: str | None = None, *, settle: Settle | None = None) -> Differences:
        """Compare the whole view with the truth, while both go on.

        Args:
            target: a shadow (collections, key generation, tables) to compare in place of the live view.
            settle: how to wait for the target; by default for the view's own consumer.

        Raises:
            Retryable: a store is away.
        """

    async def repair(self, differences: Differences) -> int:
        """Have just these keys of the live view made what the truth says; returns how many.

        Raises:
            Retryable: a store is away, or no consumer does it.
        """


async def confirm(
    view: str, look: Callable[[Collection[Key] | None], Awaitable[Look]], settle: Settle
) -> Differences:
    """The differences that remain when the view has passed what was committed before they were seen.

    `look(None)` looks at everything, `look(keys)` at these keys again. A view that does not follow is looked at once:
    what differs may be on its way.
    """
    follows = await settle()
    first = await look(None)
    doubtful: Mapping[Key, Fault] = first.faults
    certain: dict[Key, Fault] = {}
    for _ in range(MOST_LOOKS if follows else 0):
        if not doubtful or not await settle():
            break
        seen = (await look(doubtful)).faults
        certain |= {key: fault for key, fault in seen.items() if _unchanged(doubtful.get(key), fault)}
        doubtful = {key: fault for key, fault in seen.items() if key not in certain}
    return Differences(
        view,
        first.compared,
        missing=_of(certain, Wrong.MISSING),
        extra=_of(certain, Wrong.EXTRA),
        stale=_of(certain, Wrong.STALE),
        unsettled=frozenset(doubtful),
    )


def _unchanged(before: Fault | None, now: Fault) -> bool:
    """Whether the truth said the same both times; the view has had the time to follow."""
    return before is not None and before.wanted == now.wanted


def _of(faults: Mapping[Key, Fault], wrong: Wrong) -> frozenset[Key]:
    return frozenset(key for key, fault in faults.items() if fault.wrong is wrong)
