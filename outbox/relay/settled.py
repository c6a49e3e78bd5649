"""Up to which entry everything is visible to other sessions. Pure.

PostgreSQL may send a commit to a walsender before the transaction becomes visible (it then still waits for a
synchronous standby). A consumer that takes a snapshot and goes on from a stream position must therefore not start
behind an entry that the snapshot does not see: markers carry the position that this class computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from outbox.relay.batch import Commit
from outbox.relay.position import Position
from schemas.snapshot import Snapshot

_HALF = 1 << 31
_WHOLE = 1 << 32


class SettledTracker:
    """Remembers who was published and not yet seen, in stream order."""

    def __init__(self, settled: Position) -> None:
        self.settled = settled
        self._pending: deque[Commit] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def waiting(self) -> bool:
        """Whether some published entry has not been seen yet."""
        return bool(self._pending)

    def published(self, commits: Iterable[Commit]) -> None:
        """These stand in the streams now."""
        self._pending.extend(commit for commit in commits if commit[:2] > self.settled)

    def reach(self, position: Position) -> None:
        """Everything up to here was visible when it was read."""
        self.settled = max(self.settled, position)
        while self._pending and self._pending[0][:2] <= position:
            self._pending.popleft()

    def settle(self, snapshot: Snapshot) -> Position:
        """The greatest position up to which the snapshot sees every entry."""
        while self._pending and snapshot.sees(widen(self._pending[0][2], snapshot.xmax)):
            self.settled = Position(*self._pending.popleft()[:2])
        return self.settled


def widen(xid32: int, near: int) -> int:
    """The 64-bit transaction id whose low half is `xid32`; it lies within two billion of `near`."""
    xid = near - near % _WHOLE + xid32
    if xid >= near + _HALF and xid >= _WHOLE:
        return xid - _WHOLE
    if xid < near - _HALF:
        return xid + _WHOLE
    return xid
