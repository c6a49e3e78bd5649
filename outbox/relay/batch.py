"""What travels from a source to the sender: the rows of some transactions, framed for publish.lua, untouched.

A frame is one byte with the length of the stream id, the id, and the row exactly as PostgreSQL sent it. Taking the
columns apart is left to the script (`struct.unpack` in C), because every byte that Python does not look at is speed:
4 µs less per event here than msgpack of the single columns, and no dearer in Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from outbox.relay.keyspace import partition_of
from outbox.relay.position import Position

#: The columns of a row, in this order.
COLUMNS: Final = ("id", "xid", "occurred_at", "topic", "type", "key", "data", "headers")
#: Before the text of each column: pgoutput has its kind and length, COPY BINARY only the length.
WAL_HEAD: Final = 5
COPY_HEAD: Final = 4
#: The same for Lua's struct.unpack.
WAL_LAYOUT: Final = b">" + b"xI4c0" * len(COLUMNS)
COPY_LAYOUT: Final = b">" + b"I4c0" * len(COLUMNS)

_KEY: Final = COLUMNS.index("key")
_U32: Final = Struct(">I").unpack_from
#: The byte that says how long the stream id behind it is.
LENGTH: Final = tuple(bytes((n,)) for n in range(64))


#: A transaction of a batch: the two halves of its last entry's position, and the low half of its xid. A bare tuple:
#: one is made for every transaction.
Commit = tuple[int, int, int]


@dataclass(slots=True)
class Batch:
    """Entries in stream order; `frames` per partition, None where there are none."""

    first: Position
    last: Position
    frames: list[bytes | None]
    layout: bytes
    count: int
    #: What PostgreSQL may be told once this is in Redis: LSN behind the last whole transaction, or the round.
    end: int
    #: Ends where a transaction (a round) ends: a control entry may follow.
    complete: bool
    commits: Sequence[Commit] = field(default=())
    #: The rows were read as committed and visible; otherwise `commits` says who has to become visible yet.
    visible: bool = False

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(len(part) for part in self.frames if part)


class Frames:
    """Collects the frames of a batch, each in its partition's list."""

    def __init__(self, partitions: int, head: int) -> None:
        self.lists: list[list[bytes | memoryview]] = [[] for _ in range(partitions)]
        self._head = head

    def __len__(self) -> int:
        return sum(map(len, self.lists)) // 3

    def add(self, stream_id: bytes, row: bytes) -> None:
        """Append an entry to the partition of its key."""
        target = 0 if len(self.lists) == 1 else partition_of(self._key(row), len(self.lists))
        self.lists[target] += (LENGTH[len(stream_id)], stream_id, row)

    def take(self) -> list[bytes | None]:
        """Everything so far, joined; then empty."""
        joined = [b"".join(frames) if frames else None for frames in self.lists]
        for frames in self.lists:
            frames.clear()
        return joined

    def _key(self, row: bytes) -> bytes:
        offset = self._head
        for _ in range(_KEY):
            offset += _U32(row, offset - 4)[0] + self._head
        return row[offset : offset + _U32(row, offset - 4)[0]]
