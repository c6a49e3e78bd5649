"""Snapshots as PostgreSQL means them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedEvent
from schemas.snapshot import Snapshot


@pytest.mark.parametrize(
    ("xid", "seen"), [(9, True), (10, False), (11, True), (12, False), (14, True), (15, False), (99, False)]
)
def test_sees_what_had_ended(xid: int, seen: bool) -> None:
    assert Snapshot.parse("10:15:10,12").sees(xid) is seen


@given(st.integers(1, 2**63), st.sets(st.integers(0, 100), max_size=5), st.integers(0, 100))
def test_the_text_form_comes_back(xmin: int, offsets: set[int], length: int) -> None:
    running = frozenset(xmin + offset for offset in offsets if offset < length)
    snapshot = Snapshot(xmin, xmin + length, running)
    assert Snapshot.parse(str(snapshot)) == snapshot


@pytest.mark.parametrize("text", ["", "1:2", "a:b:", "1:2:3:4", "1:2:x"])
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(MalformedEvent):
        Snapshot.parse(text)


def test_a_slot_s_snapshot_is_put_in_order() -> None:
    """8230 was rolled back: what the slot exports counts it as ended by `xmin`, and as never begun by `xmax`."""
    assert str(Snapshot.parse("8231:8230:").ordered()) == "8231:8231:"
    assert str(Snapshot.parse("10:15:10,12").ordered()) == "10:15:10,12"
