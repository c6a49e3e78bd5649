"""What a marker promises (I6), for all markers of an epoch against all of its events. Pure, and not quadratic.

Events are told by their transaction: per xid it is enough to know where its first and its last entry stand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from outbox.relay.position import START, Position
from schemas.snapshot import Snapshot
from schemas.wire import Marker

_END = Position(1 << 70, 0)


def check_markers(events: Iterable[tuple[Position, int]], markers: Iterable[tuple[Position, Marker]]) -> None:
    """Assert: a marker is the same on every stream; all it sees stands before it; it sees all up to `settled`."""
    places = _Places(events)
    by_number: dict[int, set[tuple[Position, Marker]]] = {}
    for position, marker in markers:
        by_number.setdefault(marker.number, set()).add((position, marker))
    for number, same in by_number.items():
        assert len(same) == 1, f"marker {number} differs between streams: {same}"
        position, marker = next(iter(same))
        snapshot, settled = Snapshot.parse(marker.snapshot), Position.parse(marker.settled)
        last_seen, first_unseen = places.last_seen(snapshot), places.first_unseen(snapshot)
        assert last_seen <= position, f"marker {number} at {position} came before {last_seen}, which it sees"
        assert first_unseen > settled, f"marker {number} settles {settled}, but {first_unseen} is unseen"


class _Places:
    """Where the entries of each transaction begin and end, in the order of xids."""

    def __init__(self, events: Iterable[tuple[Position, int]]) -> None:
        self._first: dict[int, Position] = {}
        self._last: dict[int, Position] = {}
        for position, xid in events:
            self._first[xid] = min(self._first.get(xid, _END), position)
            self._last[xid] = max(self._last.get(xid, START), position)
        self._xids = sorted(self._first)
        # Up to each xid the greatest place, and from each xid on the smallest.
        self._greatest = list(accumulate((self._last[xid] for xid in self._xids), max, initial=START))
        backwards = (self._first[xid] for xid in reversed(self._xids))
        self._smallest = list(accumulate(backwards, min, initial=_END))[::-1]

    def last_seen(self, snapshot: Snapshot) -> Position:
        """The last entry of a transaction that the snapshot sees."""
        settled, top = bisect_left(self._xids, snapshot.xmin), bisect_left(self._xids, snapshot.xmax)
        between = (self._last[xid] for xid in self._xids[settled:top] if snapshot.sees(xid))
        return max(self._greatest[settled], *between, START)

    def first_unseen(self, snapshot: Snapshot) -> Position:
        """The first entry of a transaction that it does not see."""
        settled, top = bisect_left(self._xids, snapshot.xmin), bisect_left(self._xids, snapshot.xmax)
        between = (self._first[xid] for xid in self._xids[settled:top] if not snapshot.sees(xid))
        return min(self._smallest[max(top, settled)], *between, _END)
