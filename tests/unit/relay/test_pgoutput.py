"""Bytes to messages: every kind that may come, and what is cut off or foreign."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox.relay import pgoutput
from outbox.relay.pgoutput import Begin, Commit, Insert, LogicalMessage, Relation, Truncate, Unknown

BEGIN = b"B" + struct.pack(">QQI", 500, 0, 42)
COMMIT = b"C" + struct.pack(">BQQQ", 0, 500, 560, 0)


def relation(number: int, schema: str, name: str, *columns: str) -> bytes:
    parts = [b"R", struct.pack(">I", number), schema.encode() + b"\0", name.encode() + b"\0", b"d"]
    parts.append(struct.pack(">H", len(columns)))
    parts += [b"\1" + column.encode() + b"\0" + struct.pack(">Ii", 25, -1) for column in columns]
    return b"".join(parts)


def insert(number: int, *columns: bytes | None) -> bytes:
    cells = [b"n" if c is None else b"t" + struct.pack(">I", len(c)) + c for c in columns]
    return b"I" + struct.pack(">I", number) + b"N" + struct.pack(">H", len(columns)) + b"".join(cells)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (BEGIN, Begin(500, 42)),
        (COMMIT, Commit(500, 560)),
        (relation(7, "outbox", "events", "id", "ខ្មែរ"), Relation(7, "outbox", "events", ("id", "ខ្មែរ"))),
        (relation(7, "", "catalog"), Relation(7, "", "catalog", ())),
        (insert(7, b"1", None, b""), Insert(7, (b"1", None, b""))),
        (b"T" + struct.pack(">IBII", 2, 0, 7, 8), Truncate((7, 8))),
        (
            b"M\1" + struct.pack(">Q", 9) + b"theirs\0" + struct.pack(">I", 2) + b"hi",
            LogicalMessage(True, "theirs", b"hi"),
        ),
        (b"Y" + b"\0" * 8, Unknown(ord("Y"))),
        (b"\xff", Unknown(0xFF)),
    ],
)
def test_messages(payload: bytes, message: pgoutput.Message) -> None:
    assert pgoutput.decode(payload) == message


@pytest.mark.parametrize("payload", [b"", b"B", b"I\0\0", BEGIN[:-1], insert(7, b"abc")[:-1], b"R\0\0\0\1a"])
def test_cut_off(payload: bytes) -> None:
    with pytest.raises(pgoutput.MalformedMessage):
        pgoutput.decode(payload)


def test_a_value_that_was_not_sent_is_no_insert() -> None:
    with pytest.raises(pgoutput.MalformedMessage, match="kind 'u'"):
        pgoutput.decode(b"I" + struct.pack(">I", 7) + b"N" + struct.pack(">H", 1) + b"u")


@given(st.binary())
def test_any_bytes_are_a_message_or_an_error(payload: bytes) -> None:
    with suppress(pgoutput.MalformedMessage):
        pgoutput.decode(payload)


@given(st.lists(st.none() | st.binary(max_size=50), max_size=12))
def test_inserts_come_back(columns: list[bytes | None]) -> None:
    assert pgoutput.decode(insert(3, *columns)) == Insert(3, tuple(columns))


def test_keepalive_and_status() -> None:
    data = b"k" + struct.pack(">QQ?", 900, 0, True)
    assert pgoutput.decode_keepalive(data) == pgoutput.Keepalive(900, True)
    status = pgoutput.status_update(900, 5)
    assert struct.unpack(">BQQQQ?", status) == (ord("r"), 900, 900, 900, 5, False)


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_lsn_text(lsn: int) -> None:
    assert pgoutput.parse_lsn(pgoutput.format_lsn(lsn)) == lsn
