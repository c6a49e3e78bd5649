"""Snapshots and positions against a model: sets of transaction ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.positions import NOTHING, Position, covers, format_stream_id, parse_stream_id
from schemas.snapshot import Snapshot

UPTO = 40


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot over a small range of ids, as PostgreSQL would print it."""
    xmax = draw(st.integers(1, UPTO))
    running = draw(st.frozensets(st.integers(1, xmax - 1), max_size=6)) if xmax > 1 else frozenset()
    return Snapshot(min(running, default=xmax), xmax, running)


def seen(snapshot: Snapshot) -> set[int]:
    """What it sees, by definition."""
    return {xid for xid in range(1, UPTO + 5) if snapshot.sees(xid)}


@given(snapshots(), snapshots())
def test_covers_is_the_superset_relation(one: Snapshot, other: Snapshot) -> None:
    assert covers(one, other) == (seen(one) >= seen(other))


@given(snapshots())
def test_text_form(snapshot: Snapshot) -> None:
    assert Snapshot.parse(str(snapshot)) == snapshot
    assert covers(snapshot, NOTHING)


@given(st.integers(1, 2**31), st.integers(0, 2**20), st.integers(3, 2**32 - 1))
def test_up_to_a_position_ends_with_its_transaction(epoch: int, wraps: int, low: int) -> None:
    position = Position(epoch, wraps * 2**32 + low)
    upto = position.upto()
    assert upto.sees(position.xid)
    assert upto.sees(position.xid - 1)
    assert not upto.sees(position.xid + 4)
    assert upto.xmax % 2**32 >= 3


@given(snapshots(), st.integers(3, UPTO), st.integers(0, 3), st.integers(0, 3))
def test_applied_needs_the_epoch_and_the_snapshot(
    snapshot: Snapshot, xid: int, made: int, reached: int
) -> None:
    assert Position(made, xid).applied_in(reached, snapshot) == (made <= reached and xid in seen(snapshot))


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "1.0", "1.2", "a.5", "1.5 ", "-1.5", "1.4294967296", "1.٣"]
)
def test_what_is_not_a_position(text: str) -> None:
    with pytest.raises(ValueError, match="position"):
        Position.parse(text)


@given(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)))
def test_stream_ids(position: tuple[int, int]) -> None:
    assert parse_stream_id(format_stream_id(position)) == position
    assert parse_stream_id(format_stream_id(position).encode()) == position
