"""From messages to batches: framing, slices, order of messages, strange publications."""

from __future__ import annotations

import struct

import pytest

from outbox.relay.assembler import Assembler
from outbox.relay.batch import COLUMNS, Batch
from outbox.relay.errors import RelayInvariantBroken
from outbox.relay.keyspace import partition_of
from outbox.relay.pgoutput import status_update
from outbox.relay.position import Position
from tests.unit.relay.test_pgoutput import insert, relation

OURS = relation(7, "outbox", "events", *COLUMNS)


def wrapped(payload: bytes) -> memoryview:
    return memoryview(b"w" + struct.pack(">QQQ", 0, 0, 0) + payload)


def begin(lsn: int, xid: int = 42) -> memoryview:
    return wrapped(b"B" + struct.pack(">QQI", lsn, 0, xid))


def commit(lsn: int) -> memoryview:
    return wrapped(b"C" + struct.pack(">BQQQ", 0, lsn, lsn + 60, 0))


def keepalive(lsn: int, reply: bool = False) -> memoryview:
    return memoryview(b"k" + struct.pack(">QQ?", lsn, 0, reply))


def row(number: int, key: str = "k") -> tuple[bytes, ...]:
    return (
        b"%d" % number,
        b"42",
        b"2026-01-01 00:00:00+00",
        b"post",
        b"post.created.v1",
        key.encode(),
        b"{}",
        b"{}",
    )


def frames_of(part: bytes | None) -> list[tuple[bytes, list[bytes]]]:
    """What the script sees."""
    found, at = [], 0
    data = part or b""
    while at < len(data):
        length = data[at]
        stream_id, at = data[at + 1 : at + 1 + length], at + 1 + length
        columns = []
        for _ in COLUMNS:
            size = int.from_bytes(data[at + 1 : at + 5], "big")
            columns.append(data[at + 5 : at + 5 + size])
            at += 5 + size
        found.append((stream_id, columns))
    return found


@pytest.fixture
def assembler() -> Assembler:
    made = Assembler(1, max_events=10, max_bytes=1 << 20)
    made.feed(wrapped(OURS))
    return made


def taken(assembler: Assembler) -> Batch:
    batch = assembler.take()
    assert batch is not None
    return batch


def test_two_transactions_become_one_batch(assembler: Assembler) -> None:
    for message in (
        begin(100),
        insert(7, *row(1)),
        insert(7, *row(2)),
        commit(100),
        begin(300, 43),
        insert(7, *row(3)),
        commit(300),
    ):
        assembler.feed(message if isinstance(message, memoryview) else wrapped(message))
    batch = taken(assembler)
    assert (batch.first, batch.last, batch.count) == (Position(100, 1), Position(300, 1), 3)
    assert (batch.end, batch.complete) == (360, True)
    assert batch.commits == [(100, 2, 42), (300, 1, 43)]
    assert [(stream_id, columns[0]) for stream_id, columns in frames_of(batch.frames[0])] == [
        (b"100-1", b"1"),
        (b"100-2", b"2"),
        (b"300-1", b"3"),
    ]
    assert assembler.take() is None
    assert assembler.empty


def test_full_at_the_commit_or_in_slices() -> None:
    assembler = Assembler(1, max_events=2, max_bytes=1 << 20)
    assembler.feed(wrapped(OURS))
    full = []
    for lsn in (100, 200):
        assembler.feed(begin(lsn))
        full += [assembler.feed(wrapped(insert(7, *row(lsn)))), assembler.feed(commit(lsn))]
    assert full == [False, False, False, True]
    taken(assembler)
    assembler.feed(begin(300))
    signals = [assembler.feed(wrapped(insert(7, *row(n)))) for n in range(3000)]
    assert sum(signals) == 2
    batch = taken(assembler)
    assert (batch.end, batch.complete, batch.commits) == (260, False, [])
    assembler.feed(wrapped(insert(7, *row(1))))
    assembler.feed(commit(300))
    rest = taken(assembler)
    assert (rest.first, rest.end, rest.complete) == (Position(300, 3001), 360, True)


def test_a_commit_that_comes_behind_its_rows_is_handed_over(assembler: Assembler) -> None:
    """Whoever counts the transactions that are not visible yet would not hear of this one before the next write."""
    assembler.feed(begin(100, xid=42))
    assembler.feed(wrapped(insert(7, *row(1))))
    rows = taken(assembler)
    assert (rows.count, rows.complete, rows.commits) == (1, False, [])
    assembler.feed(commit(100))
    assert not assembler.empty
    end = taken(assembler)
    assert (end.count, end.frames, end.complete, end.commits) == (0, [None], True, [(100, 1, 42)])
    assert end.end == assembler.decoded
    assert assembler.empty


def test_rows_of_other_tables_do_not_count(assembler: Assembler) -> None:
    assembler.feed(wrapped(relation(8, "public", "noise", "v")))
    assembler.feed(begin(100))
    assembler.feed(wrapped(insert(8, b"x")))
    assembler.feed(wrapped(insert(7, *row(1))))
    assembler.feed(commit(100))
    batch = taken(assembler)
    assert batch.count == 1
    assert batch.first == Position(100, 1)


def test_columns_in_another_order_and_more_of_them(assembler: Assembler) -> None:
    assembler.feed(wrapped(relation(7, "outbox", "events", "note", *reversed(COLUMNS))))
    assembler.feed(begin(100))
    assembler.feed(wrapped(insert(7, None, *reversed(row(1)))))
    assembler.feed(commit(100))
    assert frames_of(taken(assembler).frames[0]) == [(b"100-1", list(row(1)))]


def test_a_missing_column_is_told(assembler: Assembler) -> None:
    with pytest.raises(RelayInvariantBroken, match="columns"):
        assembler.feed(wrapped(relation(7, "outbox", "events", "id", "xid")))


def test_partitions_follow_the_key() -> None:
    assembler = Assembler(3, max_events=100, max_bytes=1 << 20)
    assembler.feed(wrapped(OURS))
    assembler.feed(begin(100))
    keys = [f"key{n}" for n in range(30)]
    for number, key in enumerate(keys):
        assembler.feed(wrapped(insert(7, *row(number, key))))
    assembler.feed(commit(100))
    batch = taken(assembler)
    for partition, part in enumerate(batch.frames):
        for _, columns in frames_of(part):
            assert partition_of(columns[5], 3) == partition
    assert sum(len(frames_of(part)) for part in batch.frames) == 30
    assert (batch.first, batch.last) == (Position(100, 1), Position(100, 30))


def test_keepalives(assembler: Assembler) -> None:
    assert assembler.feed(keepalive(500))
    assert (assembler.decoded, assembler.reply_now) == (500, False)
    assembler.feed(keepalive(400, reply=True))
    assert (assembler.decoded, assembler.reply_now) == (500, True)
    assert assembler.take() is None


@pytest.mark.parametrize(
    "messages",
    [
        [begin(100), begin(200)],
        [begin(200), commit(200), begin(100)],
        [begin(200), commit(200), begin(200)],
        [commit(100)],
        [begin(100), commit(101)],
        [memoryview(status_update(1, 1))],
    ],
)
def test_an_impossible_order_stops_the_relay(assembler: Assembler, messages: list[memoryview]) -> None:
    for message in messages[:-1]:
        assembler.feed(message)
    with pytest.raises(RelayInvariantBroken):
        assembler.feed(messages[-1])
