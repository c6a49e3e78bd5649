"""PostgreSQL's logical replication messages (pgoutput, protocol version 1) and the envelope around them, from bytes.

Pure. Covers everything that may arrive; the few bytes that the relay needs of each row at full speed are taken by
`assembler.py`, which uses the offsets defined here. Reading the bytes from the server is `session.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct, error
from typing import Final

# Envelope: 'w' start(8) end(8) clock(8) payload | 'k' end(8) clock(8) reply-now(1)
XLOG_DATA: Final = ord("w")
KEEPALIVE: Final = ord("k")
PAYLOAD: Final = 25
# Payload: first byte, then what it says
BEGIN: Final = ord("B")
COMMIT: Final = ord("C")
INSERT: Final = ord("I")
RELATION: Final = ord("R")
TRUNCATE: Final = ord("T")
MESSAGE: Final = ord("M")

U32: Final = Struct(">I").unpack_from
U64: Final = Struct(">Q").unpack_from
_U16: Final = Struct(">H").unpack_from


class MalformedMessage(Exception):
    """Bytes that are not what protocol version 1 promises."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction starts; `final_lsn` is where its commit record stands."""

    final_lsn: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """It ends; decoding may start again at `end_lsn` and not see it twice."""

    lsn: int
    end_lsn: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table's name and columns, sent before its first row."""

    id: int
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row, its columns as text; None for NULL."""

    relation: int
    columns: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class LogicalMessage:
    """pg_logical_emit_message of somebody else."""

    transactional: bool
    prefix: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables were emptied."""

    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that the relay has no use for: Update, Delete, Type, Origin, or from a future version."""

    kind: int


Message = Begin | Commit | Relation | Insert | LogicalMessage | Truncate | Unknown


def decode(payload: bytes) -> Message:
    """One message without its envelope.

    Raises:
        MalformedMessage: it ends too early, or holds a column in a form that an insert can't have.
    """
    try:
        return _decode(payload)
    except (IndexError, ValueError, error) as problem:
        raise MalformedMessage(f"{payload[:40]!r}: {problem}") from problem


def _decode(payload: bytes) -> Message:
    decoder = _DECODERS.get(payload[0])
    return decoder(payload) if decoder else Unknown(payload[0])


def _begin(payload: bytes) -> Begin:
    return Begin(U64(payload, 1)[0], U32(payload, 17)[0])


def _commit(payload: bytes) -> Commit:
    return Commit(U64(payload, 2)[0], U64(payload, 10)[0])


def _insert(payload: bytes) -> Insert:
    return Insert(U32(payload, 1)[0], _tuple(payload, 6))


def _truncate(payload: bytes) -> Truncate:
    return Truncate(tuple(U32(payload, 6 + 4 * i)[0] for i in range(U32(payload, 1)[0])))


def _tuple(payload: bytes, offset: int) -> tuple[bytes | None, ...]:
    columns: list[bytes | None] = []
    count, offset = _U16(payload, offset)[0], offset + 2
    for _ in range(count):
        kind = payload[offset]
        if kind == ord("n"):
            columns.append(None)
            offset += 1
        elif kind == ord("t"):
            end = offset + 5 + U32(payload, offset + 1)[0]
            if end > len(payload):
                raise ValueError("a column ends behind its message")
            columns.append(payload[offset + 5 : end])
            offset = end
        else:
            raise ValueError(f"column of kind {chr(kind)!r}")
    return tuple(columns)


def _relation(payload: bytes) -> Relation:
    schema, offset = _string(payload, 5)
    name, offset = _string(payload, offset)
    count, offset = _U16(payload, offset + 1)[0], offset + 3  # one byte of replica identity before the count
    columns = []
    for _ in range(count):
        column, offset = _string(payload, offset + 1)  # one byte of flags before the name
        columns.append(column)
        offset += 8  # type and its modifier
    return Relation(U32(payload, 1)[0], schema, name, tuple(columns))


def _logical_message(payload: bytes) -> LogicalMessage:
    prefix, offset = _string(payload, 10)
    length = U32(payload, offset)[0]
    return LogicalMessage(bool(payload[1] & 1), prefix, payload[offset + 4 : offset + 4 + length])


def _string(payload: bytes, offset: int) -> tuple[str, int]:
    end = payload.index(b"\0", offset)
    return payload[offset:end].decode(), end + 1


_DECODERS: Final[Mapping[int, Callable[[bytes], Message]]] = {
    BEGIN: _begin,
    COMMIT: _commit,
    INSERT: _insert,
    RELATION: _relation,
    TRUNCATE: _truncate,
    MESSAGE: _logical_message,
}


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Everything that was committed before `end_lsn` has been sent."""

    end_lsn: int
    reply_now: bool


def decode_keepalive(data: bytes) -> Keepalive:
    """A whole 'k' message, envelope included."""
    return Keepalive(U64(data, 1)[0], bool(data[17]))


def status_update(flushed_lsn: int, clock: int, *, reply_now: bool = False) -> bytes:
    """What the client reports.

    Written and applied are told to be no further than flushed: the server then sends a keepalive each time it has
    nothing more to send, which is how the relay learns that a quiet log has moved on.
    """
    return _STATUS(ord("r"), flushed_lsn, flushed_lsn, flushed_lsn, clock, reply_now)


_STATUS: Final = Struct(">BQQQQ?").pack


def parse_lsn(text: str) -> int:
    """`16/B374D848` as a number.

    Raises:
        ValueError: it is not an LSN.
    """
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def format_lsn(lsn: int) -> str:
    """The form that PostgreSQL prints."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
