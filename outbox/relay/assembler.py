"""From the messages of one replication stream to batches. Pure: tests feed it bytes.

Runs for every message, so it takes only what it must: a transaction's commit position from its Begin, and the row of
an Insert as one untouched slice. Whatever is rare (another table's rows, a changed order of columns, messages of other
kinds) goes through `pgoutput.decode`. The order of messages is asserted: better to stop than to guess.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from outbox.relay import pgoutput
from outbox.relay.batch import COLUMNS, LENGTH, WAL_HEAD, WAL_LAYOUT, Batch, Commit, Frames
from outbox.relay.errors import RelayInvariantBroken
from outbox.relay.pgoutput import BEGIN, COMMIT, INSERT, KEEPALIVE, PAYLOAD, XLOG_DATA
from outbox.relay.position import Position

_ROW: Final = PAYLOAD + 8  # 'I', relation (4), 'N', number of columns (2)
_FINAL_LSN: Final = PAYLOAD + 1
_COMMIT_LSN: Final = PAYLOAD + 2
_LOOK_EVERY: Final = 0x3FF  # rows of one transaction between two looks at the batch's size
_TEXT: Final = Struct(">cI").pack
#: Of the envelope and its payload: kind of the one, kind of the other, and of a row its relation.
_LOOK: Final = Struct(f">B{PAYLOAD - 1}xBI").unpack_from
#: A shorter one says nothing about rows: a keepalive.
_SHORTEST: Final = PAYLOAD + 5
_BEGIN: Final = Struct(">Q8xI").unpack_from
_COMMIT: Final = Struct(">QQ").unpack_from


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
        #: Bytes that wait to be taken.
        self.size = 0
        self._commit = 0
        self._index = 0
        self._xid = 0
        self._end = 0
        self._commits: list[Commit] = []
        self._order: dict[int, tuple[int, ...] | None] = {}
        # The relation whose rows need not be looked at.
        self._plain = -1

    def feed(self, message: memoryview) -> bool:
        """Take in one message; True when the batch is full or a keepalive came.

        Long, because a call per message is what it would cost to cut it up.
        """
        if len(message) < _SHORTEST:
            return self._short(bytes(message))
        envelope, kind, relation = _LOOK(message)
        if envelope != XLOG_DATA:
            raise RelayInvariantBroken(f"message of kind {envelope} in the replication stream")
        if kind == INSERT:
            if relation != self._plain:
                return self._any_insert(bytes(message))
            self._index = index = self._index + 1
            stream_id = b"%d-%d" % (self._commit, index)
            # The rest of the message is not copied before the batch is joined.
            self._only += (LENGTH[len(stream_id)], stream_id, message[_ROW:])
            self.size = size = self.size + len(message)
            return size >= self._max_bytes or (index & _LOOK_EVERY == 0 and self.full)
        if kind == BEGIN:
            commit, xid = _BEGIN(message, _FINAL_LSN)
            if self.in_transaction or commit <= self._commit:
                raise RelayInvariantBroken(f"transaction of {commit} begins after that of {self._commit}")
            self._commit, self._index, self._xid = commit, 0, xid
            self.in_transaction = True
            return False
        if kind == COMMIT:
            commit, end = _COMMIT(message, _COMMIT_LSN)
            if not self.in_transaction or commit != self._commit:
                raise RelayInvariantBroken(f"a commit that does not end the transaction of {self._commit}")
            self._end = self.decoded = end
            if self._index:
                self._commits.append((self._commit, self._index, self._xid))
            self.in_transaction = False
            return len(self._only) >= self._max_frames or self.size >= self._max_bytes
        return self._rare(bytes(message))

    def take(self) -> Batch | None:
        """What has come since the last batch; None when nothing has.

        A transaction whose rows went out before its commit came is ended by a batch without rows.
        """
        if self.empty:
            return None
        count = len(self._frames)
        first = min((_place(frames[1]) for frames in self._frames.lists if frames), default=None)
        last = max((_place(frames[-2]) for frames in self._frames.lists if frames), default=None)
        ended = Position(self._commit, self._index)
        batch = Batch(
            first or ended,
            last or ended,
            self._frames.take(),
            WAL_LAYOUT,
            count,
            self._end,
            not self.in_transaction,
            self._commits,
        )
        self._commits = []
        self.size = 0
        return batch

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._commits and not any(self._frames.lists)

    @property
    def full(self) -> bool:
        """Whether it is time to take a batch."""
        return self.size >= self._max_bytes or len(self._frames) * 3 >= self._max_frames

    def _short(self, data: bytes) -> bool:
        """A keepalive; or a message that holds nothing of ours."""
        if data[0] == XLOG_DATA:
            return self._rare(data)
        if data[0] != KEEPALIVE:
            raise RelayInvariantBroken(f"message of kind {data[0]} in the replication stream")
        keepalive = pgoutput.decode_keepalive(data)
        self.decoded = max(self.decoded, keepalive.end_lsn)
        self.reply_now = self.reply_now or keepalive.reply_now
        return True

    def _rare(self, data: bytes) -> bool:
        message = pgoutput.decode(data[PAYLOAD:])
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
        if ours:
            as_expected = relation.columns == COLUMNS and len(self._frames.lists) == 1
            self._plain = relation.id if as_expected else -1

    def _any_insert(self, data: bytes) -> bool:
        """The slow way: other tables in the publication, more columns than ours, several partitions."""
        if not self.in_transaction:
            raise RelayInvariantBroken("a row outside a transaction")
        insert = pgoutput.decode(data[PAYLOAD:])
        assert isinstance(insert, pgoutput.Insert)
        order = self._order.get(insert.relation)
        if order is None:
            return False
        self._index += 1
        columns = [insert.columns[place] or b"" for place in order]
        row = b"".join(part for text in columns for part in (_TEXT(b"t", len(text)), text))
        self._frames.add(b"%d-%d" % (self._commit, self._index), row)
        self.size += len(data)
        return self.full


def _place(stream_id: bytes | memoryview) -> Position:
    return Position.parse(bytes(stream_id))
