"""Whatever is encoded is decoded again, and nothing that Redis can return escapes as another error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Event
from schemas.errors import EventError, MalformedEvent, UnknownEvent
from schemas.wire import End, Gap, Marker, decode, encode, head, number

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=5)
times = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis adds it)
events = st.builds(
    Event,
    id=st.integers(1, 2**63 - 1),
    xid=st.integers(1, 2**64 - 1),
    occurred_at=times,
    topic=st.just("engagement"),
    type=st.just("like.created.v1"),
    key=st.text(min_size=1),
    data=json_objects,
    headers=json_objects,
)
markers = st.builds(
    Marker,
    number=st.integers(0, 2**53),
    snapshot=st.just("10:20:11,12"),
    settled=st.from_regex(r"\A[0-9]{1,18}-[0-9]{1,18}\Z"),
    taken_at_ms=st.integers(0, 2**53),
)


@given(
    entry=events | markers | st.builds(Gap) | st.builds(End, st.integers(1, 2**31)), n=st.integers(1, 2**53)
)
def test_every_entry_survives_the_wire(entry: Event | Marker | Gap | End, n: int) -> None:
    fields = encode(entry, n)
    assert decode(fields) == entry
    assert number(fields) == n


@given(st.dictionaries(st.sampled_from([b"n", b"m", b"d", b"h", b"c", b"u", b"e"]), st.binary()))
def test_garbage_is_an_event_error_and_nothing_else(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(EventError):
        decode(fields | {b"c": b"nonsense"} if fields.get(b"c") == b"gap" else fields)


def test_time_is_printed_as_postgresql_prints_it() -> None:
    phnom_penh = timezone(timedelta(hours=7))
    event = Event(
        1, 2, datetime(2026, 8, 1, 9, 30, 5, 120000, phnom_penh), "post", "post.created.v1", "p1", {}
    )
    assert encode(event, 1)[b"m"] == b"1 1 2 2026-08-01 02:30:05.12+00 post.created.v1 p1"
    assert head(encode(event, 1)).occurred_at == b"2026-08-01 02:30:05.12+00"
    assert b"h" not in encode(event, 1)


def test_an_unknown_aggregate_has_no_topic() -> None:
    event = Event(1, 2, datetime.now(UTC), "?", "teapot.boiled.v1", "t1", {})
    with pytest.raises(UnknownEvent):
        decode(encode(event, 1))


def test_a_payload_must_be_an_object() -> None:
    fields = encode(Event(1, 2, datetime.now(UTC), "post", "post.created.v1", "p1", {}), 1)
    with pytest.raises(MalformedEvent):
        decode({**fields, b"d": b"[1]"})
