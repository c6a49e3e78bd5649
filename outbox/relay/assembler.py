"""From the messages of one replication stream to batches. Pure: tests feed it bytes.

Runs for every message, so it takes only what it must: a transaction's commit position from its Begin, and the row of
an Insert as one untouched slice. Whatever is rare (another table's rows, a changed order of columns, messages of other
kinds) goes through `pgoutput.decode`. The order of messages is asserted: better to stop than to guess.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from outbox.relay import pgoutput
from outbox.relay.batch import COLUMNS, WAL_HEAD, WAL_LAYOUT, Batch, Commit, Frames
from outbox.relay.errors import RelayInvariantBroken
from outbox.relay.pgoutput import BEGIN, COMMIT, INSERT, KEEPALIVE, PAYLOAD, U32, U64, XLOG_DATA
from outbox.relay.position import Position

_ROW: Final = PAYLOAD + 8  # 'I', relation (4), 'N', number of columns (2)
_LENGTH: Final = tuple(bytes((n,)) for n in range(64))
_LOOK_EVERY: Final = 0x3FF  # rows of one transaction between two looks at the batch's size
_TEXT: Final = Struct(">cI").pack


class Assembler:
    """Feed it every message; take a batch when it says so, or when nothing more comes for the moment."""

    def __init__(self, partitions: int, max_events: int, max_bytes: int) -> None:
        #: Everything that was committed before this LSN has been fed.
        self.decoded = 0
        self.in_transaction = False
        #: The server asked for a status at once.
        self.reply_now = False
        self._max_frames = 3 * max_events
        self._max_bytes = max_bytes
        self._frames = Frames(partitions, WAL_HEAD)
        self._only = self._frames.lists[0]
        self._size = 0
        self._commit = 0
        self._index = 0
        self._xid = 0
        self._end = 0
        self._commits: list[Commit] = []
        self._order: dict[int, tuple[int, ...] | None] = {}
        self._plain = False

    def feed(self, data: memoryview) -> bool:
        """Take in one message; True when the batch is full or a keepalive came."""
        if data[0] != XLOG_DATA:
            return self._keepalive(data)
        kind = data[PAYLOAD]
        if kind == INSERT:
            if not self._plain:
                return self._any_insert(data)
            self._index = index = self._index + 1
            stream_id = b"%d-%d" % (self._commit, index)
            self._only += (_LENGTH[len(stream_id)], stream_id, data[_ROW:])
            self._size += len(data)
            return index & _LOOK_EVERY == 0 and self.full
        if kind == BEGIN:
            self._begin(data)
            return False
        if kind == COMMIT:
            self._finish(data)
            return len(self._only) >= self._max_frames or self._size >= self._max_bytes
        return self._rare(data)

    def take(self) -> Batch | None:
        """What has come since the last batch; None when there was no row."""
        count = len(self._frames)
        if not count:
            return None
        first = min(Position.parse(bytes(frames[1])) for frames in self._frames.lists if frames)
        last = max(Position.parse(bytes(frames[-2])) for frames in self._frames.lists if frames)
        batch = Batch(
            first,
            last,
            self._frames.take(),
            WAL_LAYOUT,
            count,
            self._end,
            not self.in_transaction,
            self._commits,
        )
        self._commits = []
        self._size = 0
        return batch

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not any(self._frames.lists)

    @property
    def full(self) -> bool:
        """Whether it is time to take a batch."""
        return self._size >= self._max_bytes or len(self._frames) * 3 >= self._max_frames

    def _begin(self, data: memoryview) -> None:
        commit = U64(data, PAYLOAD + 1)[0]
        if self.in_transaction or commit <= self._commit:
            raise RelayInvariantBroken(f"transaction of {commit} begins after that of {self._commit}")
        self._commit, self._index = commit, 0
        self._xid = U32(data, PAYLOAD + 17)[0]
        self.in_transaction = True

    def _finish(self, data: memoryview) -> None:
        if not self.in_transaction or U64(data, PAYLOAD + 2)[0] != self._commit:
            raise RelayInvariantBroken(f"commit {U64(data, PAYLOAD + 2)[0]} does not end {self._commit}")
        self._end = self.decoded = U64(data, PAYLOAD + 10)[0]
        if self._index:
            self._commits.append(Commit(Position(self._commit, self._index), self._xid))
        self.in_transaction = False

    def _keepalive(self, data: memoryview) -> bool:
        if data[0] != KEEPALIVE:
            raise RelayInvariantBroken(f"message of kind {data[0]} in the replication stream")
        keepalive = pgoutput.decode_keepalive(bytes(data))
        self.decoded = max(self.decoded, keepalive.end_lsn)
        self.reply_now = self.reply_now or keepalive.reply_now
        return True

    def _rare(self, data: memoryview) -> bool:
        message = pgoutput.decode(bytes(data[PAYLOAD:]))
        if isinstance(message, pgoutput.Relation):
            self._learn(message)
        return False  # truncation, messages of others, future kinds: nothing of ours

    def _learn(self, relation: pgoutput.Relation) -> None:
        ours = (relation.schema, relation.name) == ("outbox", "events")
        if ours and not set(COLUMNS) <= set(relation.columns):
            raise RelayInvariantBroken(
                f"outbox.events has columns {relation.columns}, {COLUMNS} are expected"
            )
        self._order[relation.id] = tuple(map(relation.columns.index, COLUMNS)) if ours else None
        expected = tuple(range(len(COLUMNS)))
        self._plain = (
            len(self._frames.lists) == 1
            and all(order == expected for order in self._order.values())
            and not (ours and len(relation.columns) > len(COLUMNS))
        )

    def _any_insert(self, data: memoryview) -> bool:
        """The slow way: other tables in the publication, more columns than ours, several partitions."""
        if not self.in_transaction:
            raise RelayInvariantBroken("a row outside a transaction")
        insert = pgoutput.decode(bytes(data[PAYLOAD:]))
        assert isinstance(insert, pgoutput.Insert)
        order = self._order.get(insert.relation)
        if order is None:
            return False
        self._index += 1
        columns = [insert.columns[place] or b"" for place in order]
        row = b"".join(part for text in columns for part in (_TEXT(b"t", len(text)), text))
        self._frames.add(b"%d-%d" % (self._commit, self._index), row)
        self._size += len(data)
        return self._index & _LOOK_EVERY == 0 and self.full
