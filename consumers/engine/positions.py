"""Positions and snapshots: who has seen which transaction. Pure arithmetic, as PostgreSQL defines it.

A snapshot is the text form of `pg_snapshot` (`xmin:xmax:xip,…`); a position is what a write answers with,
`<epoch>.<xid8>`. Where they are stored is `checkpoint.py`; who waits for them is `freshness.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SNAPSHOT = re.compile(r"(\d{1,20}):(\d{1,20}):((?:\d{1,20})(?:,\d{1,20})*)?")
_POSITION = re.compile(r"(\d{1,9})\.(\d{1,20})")
_MAX_XID = 2**63
_FIRST_NORMAL_XID = 3


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A `pg_snapshot`: the transactions below `xmax` that were not in progress had ended."""

    xmin: int
    xmax: int
    xip: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Read PostgreSQL's text form.

        Raises:
            ValueError: it is not one.
        """
        match = _SNAPSHOT.fullmatch(text)
        if match is None:
            raise ValueError(f"not a snapshot: {text[:80]!r}")
        running = frozenset(int(xid) for xid in match[3].split(",")) if match[3] else frozenset()
        snapshot = cls(int(match[1]), int(match[2]), running)
        if snapshot.xmin > snapshot.xmax or any(not snapshot.xmin <= xid < snapshot.xmax for xid in running):
            raise ValueError(f"not a snapshot: {text[:80]!r}")
        return snapshot

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.xip)))}"

    def sees(self, xid: int) -> bool:
        """Whether the transaction, if it committed, is visible in this snapshot."""
        return xid < self.xmax and xid not in self.xip

    def covers(self, other: Snapshot) -> bool:
        """Whether everything that `other` sees is seen here too."""
        unseen_above = range(self.xmax, other.xmax)
        return len(unseen_above) <= len(other.xip) and not any(
            other.sees(xid) for xid in (*unseen_above, *self.xip)
        )


#: Before the first transaction: sees nothing.
NOTHING = Snapshot(1, 1)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a write stands: the epoch it was made in and its transaction id."""

    epoch: int
    xid: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `<epoch>.<xid8>`.

        Raises:
            ValueError: it is not one.
        """
        match = _POSITION.fullmatch(text)
        if match is None or not _is_normal(int(match[2])):
            raise ValueError("not a position: <epoch>.<xid8> is expected")
        return cls(int(match[1]), int(match[2]))

    def window(self) -> tuple[Snapshot, Snapshot]:
        """Two snapshots between which exactly this transaction became visible."""
        after = self.xid + 1
        while not _is_normal(after):
            after += 1
        return Snapshot(self.xid, after, frozenset({self.xid})), Snapshot(after, after)

    def applied_in(self, epoch: int, snapshot: Snapshot) -> bool:
        """Whether a view that stands at `snapshot` of `epoch` has this write: older epochs are finished first."""
        return self.epoch < epoch or (self.epoch == epoch and snapshot.sees(self.xid))


def _is_normal(xid: int) -> bool:
    """Whether PostgreSQL gives such ids to transactions: each wrap-around skips the first three."""
    return xid % 2**32 >= _FIRST_NORMAL_XID and xid < _MAX_XID
