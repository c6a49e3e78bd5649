"""From COPY messages to batches."""

from __future__ import annotations

import struct

import pytest

from outbox.relay.position import Position
from outbox.relay.rows import RowAssembler

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">II", 0, 0)
_TRAILER = b"\xff\xff"


def message(number: int) -> bytes:
    columns = (b"%d" % number, b"1", b"t", b"post", b"post.created.v1", b"k", b"{}", b"{}")
    return struct.pack(">H", 8) + b"".join(struct.pack(">I", len(c)) + c for c in columns)


def test_rows_get_the_next_places_of_their_round() -> None:
    rows = RowAssembler(5, 1, max_events=2, max_bytes=1 << 20)
    assert [rows.feed(_HEADER + message(10)), rows.feed(message(11))] == [False, True]
    batch = rows.take(complete=False)
    assert (batch.first, batch.last, batch.count, batch.end) == (Position(5, 1), Position(5, 2), 2, 5)
    assert not rows.feed(_TRAILER)
    last = rows.take(complete=True)
    assert (last.count, last.frames, last.last, last.complete) == (0, [None], Position(5, 2), True)


def test_slices_go_on_where_the_one_before_ended() -> None:
    rows = RowAssembler(1, 1, max_events=100, max_bytes=1 << 20)
    for start in (10, 20):
        rows.begin()
        rows.feed(_HEADER + message(start))
        rows.feed(message(start + 1))
        rows.feed(_TRAILER)
        assert rows.last_id == start + 1
    assert rows.take(complete=True).last == Position(1, 4)


def test_nothing_at_all() -> None:
    rows = RowAssembler(9, 2, max_events=100, max_bytes=1 << 20)
    rows.feed(_HEADER + _TRAILER)
    batch = rows.take(complete=True)
    assert (batch.count, batch.frames, batch.last) == (0, [None, None], Position(9, 0))


@pytest.mark.parametrize("limit", [1, 50, 200])
def test_bytes_fill_a_batch_as_well(limit: int) -> None:
    rows = RowAssembler(5, 1, max_events=1000, max_bytes=limit)
    size, full, data = 0, False, _HEADER + message(1)
    while not full:
        full = rows.feed(data)
        size += len(data)
        data = message(2)
    assert limit <= rows.take(complete=False).size + len(_HEADER) + 100
