"""Positions: where a write stands in the truth, and where an entry stands in a stream. Pure arithmetic.

A write answers with `<epoch>.<xid8>`; whether a view has it is decided by the snapshot of its checkpoint
(`checkpoint.py`). Who waits for a position is `freshness.py`. Snapshots themselves are `schemas/snapshot.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from schemas.snapshot import Snapshot

#: Before the first transaction: sees nothing.
NOTHING: Final = Snapshot(1, 1)

#: Stream positions are `<ms>-<seq>` and compare as pairs; the relay, not the clock, chooses both halves.
StreamId = tuple[int, int]
STREAM_START: Final[StreamId] = (0, 0)

_POSITION = re.compile(r"([0-9]{1,9})\.([0-9]{1,20})")
_MAX_XID = 2**63
_FIRST_NORMAL_XID = 3


def covers(wider: Snapshot, narrower: Snapshot) -> bool:
    """Whether everything that `narrower` sees is seen by `wider` too."""
    beyond = range(wider.xmax, narrower.xmax)
    if len(beyond) > len(narrower.xip):
        return False
    return not any(narrower.sees(xid) for xid in (*beyond, *wider.xip))


def parse_stream_id(text: bytes | str) -> StreamId:
    """Read `<ms>-<seq>`.

    Raises:
        ValueError: it is not one.
    """
    ms, seq = (text.decode() if isinstance(text, bytes) else text).split("-")
    return int(ms), int(seq)


def format_stream_id(position: StreamId) -> str:
    """Write `<ms>-<seq>`."""
    return f"{position[0]}-{position[1]}"


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

    def upto(self) -> Snapshot:
        """The snapshot that sees this transaction and all before it."""
        after = self.xid + 1
        while not _is_normal(after):
            after += 1
        return Snapshot(after, after)

    def applied_in(self, epoch: int, snapshot: Snapshot) -> bool:
        """Whether a view that has applied `snapshot` of `epoch` has this write.

        A position from before a restore may name a transaction that the restored truth never had: not applied.
        """
        return self.epoch <= epoch and snapshot.sees(self.xid)


def _is_normal(xid: int) -> bool:
    """Whether PostgreSQL gives such ids to transactions: each wrap-around skips the first three."""
    return xid % 2**32 >= _FIRST_NORMAL_XID and xid < _MAX_XID
