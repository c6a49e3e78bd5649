"""Stream entries: an event, or a control entry of the relay, as the text fields of one Redis stream entry.

    event        m "<n> <i> <x> <o> <t> <k>": dense number within the stream (a reader sees a hole), outbox id, xid8,
                 occurred_at as PostgreSQL prints it in UTC (two words), type, key (may hold spaces)
                 d data (JSON)   h headers (JSON, left out when empty)
    control      n dense number, as above   c = marker | gap | end
      marker     u marker number, the same on all streams   s pg_snapshot: all it sees is published before this entry
                 q settled: stream position up to which every entry is visible in s   w unix ms when s was taken
      gap        Redis lost entries that cannot be sent again: read the log instead
      end        e the next epoch: this stream is finished

What is short stands in one field because each field costs: Redis takes a quarter of a microsecond more for every one
that it writes to its append-only file, and a reader has to parse it.
The topic is not repeated in an entry: it is in the stream's key and follows from the type. The relay decides what is
sent (outbox/relay/), the engine what to do with it (consumers/engine/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from schemas.envelope import Event
from schemas.errors import MalformedEvent
from schemas.registry import REGISTRY
from schemas.topics import topic_of

Fields = Mapping[bytes, bytes]


class Head(NamedTuple):
    """An event without its payload, each part as text."""

    number: bytes
    id: bytes
    xid: bytes
    occurred_at: bytes
    type: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Marker:
    """Everything that `snapshot` (text of a pg_snapshot) sees stands before this entry, on every stream."""

    number: int
    snapshot: str
    settled: str
    taken_at_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries are missing before this one; the stream cannot serve a reader that has not passed them."""


@dataclass(frozen=True, slots=True)
class End:
    """The epoch is over; the streams of `next_epoch` go on."""

    next_epoch: int


Entry = Event | Marker | Gap | End


def encode(entry: Entry, n: int) -> dict[bytes, bytes]:
    """The fields of a stream entry, numbered `n`."""
    if isinstance(entry, Event):
        return _encode_event(entry, n)
    fields = {b"n": b"%d" % n}
    match entry:
        case Marker():
            fields |= {
                b"c": b"marker",
                b"u": b"%d" % entry.number,
                b"s": entry.snapshot.encode(),
                b"q": entry.settled.encode(),
                b"w": b"%d" % entry.taken_at_ms,
            }
        case Gap():
            fields[b"c"] = b"gap"
        case End():
            fields |= {b"c": b"end", b"e": b"%d" % entry.next_epoch}
    return fields


def decode(fields: Fields) -> Entry:
    """What a stream entry says; an event in the newest version of its type.

    Raises:
        MalformedEvent: a field is missing or cannot be read.
        UnknownEvent: the event's aggregate is not one of ours.
    """
    try:
        control = fields.get(b"c")
        return _decode_event(fields) if control is None else _decode_control(control, fields)
    except KeyError as missing:
        raise MalformedEvent(f"stream entry without field {missing}") from None
    except ValueError as error:
        raise MalformedEvent(f"stream entry cannot be read: {error}") from None


def number(fields: Fields) -> int:
    """The entry's dense number within its stream.

    Raises:
        MalformedEvent: the entry has none.
    """
    try:
        return int(fields[b"m"].partition(b" ")[0] if b"m" in fields else fields[b"n"])
    except (KeyError, ValueError):
        raise MalformedEvent("stream entry without a number") from None


def head(fields: Fields) -> Head:
    """The short parts of an event, cheaply: for whoever only counts or looks for a key.

    Raises:
        KeyError: it is a control entry.
        ValueError: it cannot be read.
    """
    n, i, x, day, time, t, k = fields[b"m"].split(b" ", 6)
    return Head(n, i, x, day + b" " + time, t, k)


def _encode_event(event: Event, n: int) -> dict[bytes, bytes]:
    parts = (n, event.id, event.xid, _print_time(event.occurred_at), event.type.encode(), event.key.encode())
    fields = {b"m": b"%d %d %d %s %s %s" % parts, b"d": orjson.dumps(event.data)}
    if event.headers:
        fields[b"h"] = orjson.dumps(event.headers)
    return fields


def _decode_event(fields: Fields) -> Event:
    parts = head(fields)
    event_type = parts.type.decode()
    headers = fields.get(b"h")
    event = Event(
        id=int(parts.id),
        xid=int(parts.xid),
        occurred_at=datetime.fromisoformat(parts.occurred_at.decode()),
        topic=topic_of(event_type),
        type=event_type,
        key=parts.key.decode(),
        data=_json_object(fields[b"d"]),
        headers=_json_object(headers) if headers else {},
    )
    return REGISTRY.upcast(event)


def _decode_control(control: bytes, fields: Fields) -> Marker | Gap | End:
    match control:
        case b"marker":
            return Marker(int(fields[b"u"]), fields[b"s"].decode(), fields[b"q"].decode(), int(fields[b"w"]))
        case b"gap":
            return Gap()
        case b"end":
            return End(int(fields[b"e"]))
    raise MalformedEvent(f"unknown control entry {control!r}")


def _json_object(text: bytes) -> dict[str, Any]:
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise MalformedEvent("payload is not a JSON object")
    return value


def _print_time(moment: datetime) -> bytes:
    """As PostgreSQL prints a timestamptz in UTC: trailing zeros of the fraction are dropped."""
    utc = moment.astimezone(UTC)
    fraction = f".{utc.microsecond:06d}".rstrip("0") if utc.microsecond else ""
    return f"{utc:%Y-%m-%d %H:%M:%S}{fraction}+00".encode()
