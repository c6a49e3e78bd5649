"""What each stream entry means for a view, decided without I/O: apply it, skip it, or go to the log.

The relay numbers the entries of a stream densely (`n`) and puts a marker with a snapshot on every stream; from the
two follows whether anything is missing and how far the whole view is. Reading is `stream.py`, applying `applier.py`,
and what happens after `Lost` is `catchup.py`.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from consumers.engine.checkpoint import Checkpoint
from consumers.engine.positions import StreamId, covers, format_stream_id
from schemas.envelope import Event
from schemas.snapshot import Snapshot
from schemas.wire import Entry, Gap, Marker


class Lost(Exception):
    """The stream can't serve this view from where it stands: the log must."""


class Verdict(Enum):
    """What to do with an entry. All of them are acknowledged once the batch is in the view."""

    APPLY = auto()
    SKIP = auto()


class Tracker:
    """A checkpoint that moves forward entry by entry."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._base = checkpoint
        self._streams = dict(checkpoint.streams)
        self._snapshot = checkpoint.snapshot
        self._taken_at_ms = checkpoint.taken_at_ms

    def checkpoint(self) -> Checkpoint:
        """Where the view stands once everything accepted so far has been applied."""
        return replace(
            self._base, snapshot=self._snapshot, taken_at_ms=self._taken_at_ms, streams=dict(self._streams)
        )

    def accept(
        self, stream: str, position: StreamId, n: int, entry: Entry, *, pending: bool = False
    ) -> Verdict:
        """Move past one entry.

        A `pending` one was delivered before a crash: when the checkpoint has it already it is applied again all the
        same, because the crash may have come before its rejection was recorded.

        Raises:
            Lost: entries are missing before this one, or the stream ends here.
        """
        state = self._streams[stream]
        if n <= state.n and position <= state.id:
            return Verdict.APPLY if pending and isinstance(entry, Event) else Verdict.SKIP
        if n != state.n + 1 or position <= state.id:
            raise Lost(f"{stream}: entry {format_stream_id(position)} is number {n}, not {state.n + 1}")
        self._streams[stream] = replace(state, id=position, n=n)
        match entry:
            case Event():
                return Verdict.SKIP if self._snapshot.sees(entry.xid) else Verdict.APPLY
            case Marker():
                self._pass_marker(stream, entry)
                return Verdict.SKIP
            case Gap():
                raise Lost(f"{stream}: the relay reports a gap")
        raise Lost(f"{stream}: the epoch has ended, {entry.next_epoch} follows")

    def _pass_marker(self, stream: str, marker: Marker) -> None:
        state = self._streams[stream]
        if marker.number <= state.marker:
            raise Lost(f"{stream}: marker {marker.number} follows marker {state.marker}")
        self._streams[stream] = replace(state, marker=marker.number)
        if any(other.marker < marker.number for other in self._streams.values()):
            return  # some stream has not come as far: the marker holds once it has passed there as well
        snapshot = Snapshot.parse(marker.snapshot)
        if covers(snapshot, self._snapshot):
            self._snapshot, self._taken_at_ms = snapshot, marker.taken_at_ms
