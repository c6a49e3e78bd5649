"""From rows of a COPY … (FORMAT binary) to batches: poll mode's rounds, and the fill of a new epoch. Pure.

The statement casts every column to text (sql/state.sql), so that both sources give the same entries, byte for byte.
"""

from __future__ import annotations

from typing import Final

from outbox.relay.batch import COPY_HEAD, COPY_LAYOUT, Batch, Frames
from outbox.relay.pgoutput import U32
from outbox.relay.position import Position

_HEADER: Final = 19  # signature, flags, length of the extension; stands before the first row
_FIELDS: Final = 2
_TRAILER: Final = b"\xff\xff"


class RowAssembler:
    """Gives the rows of one round (`major`) their positions."""

    def __init__(
        self, major: int, partitions: int, max_events: int, max_bytes: int, *, index: int = 0
    ) -> None:
        self.index = index
        self._major = major
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frames = Frames(partitions, COPY_HEAD)
        self._first = index + 1
        self._size = 0
        self._begun = False
        self._row = b""

    def begin(self) -> None:
        """Another COPY follows."""
        self._begun = False

    def feed(self, data: bytes | memoryview) -> bool:
        """Take in one message of the COPY; True when the batch is full."""
        row = bytes(data)
        if not self._begun:
            row, self._begun = row[_HEADER:], True
        if row[:_FIELDS] == _TRAILER:
            return False
        self.index += 1
        self._row = row[_FIELDS:]
        self._frames.add(b"%d-%d" % (self._major, self.index), self._row)
        self._size += len(row)
        return self._size >= self._max_bytes or self.index - self._first + 1 >= self._max_events

    @property
    def last_id(self) -> int:
        """The outbox id of the last row."""
        return int(self._row[COPY_HEAD : COPY_HEAD + U32(self._row, 0)[0]])

    def take(self, *, complete: bool) -> Batch:
        """What has come since the last batch; the last one is `complete`, and may be empty."""
        batch = Batch(
            Position(self._major, self._first),
            Position(self._major, self.index),
            self._frames.take(),
            COPY_LAYOUT,
            self.index - self._first + 1,
            self._major,
            complete,
            visible=True,
        )
        self._first, self._size = self.index + 1, 0
        return batch
