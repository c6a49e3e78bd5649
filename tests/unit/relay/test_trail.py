"""Confirming late: never too early, never backwards, never for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox.relay.position import Position
from outbox.relay.trail import Step, Trail


def step(point: int, time: float, progress: int | None = None) -> Step:
    return Step(point, point, time, (Position(point if progress is None else progress, 1),))


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 3), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0.0, 1.0, 10.0]),
    st.sampled_from([0, 1000, 20_000]),
)
def test_old_enough_and_far_enough(moves: list[tuple[int, float, bool]], seconds: float, mass: int) -> None:
    trail, reached, now, confirmed = Trail(seconds, mass), [], 0.0, 0
    point = progress = 1
    for distance, pause, writes in moves:
        point, now = point + max(distance, int(writes)), now + pause  # an entry has a place of its own
        progress = point if writes else progress
        trail.add(step(point, now, progress))
        reached.append((point, now, progress))
        found = trail.confirmable(now)
        if found is None:
            continue
        assert found.point >= confirmed
        confirmed = found.point
        assert found.point <= point - mass
        there = [r for r in reached if r[0] >= found.point]
        assert there[0][1] <= now - seconds, "reached too recently"
        written = max((r[2] for r in reached if r[2] <= found.point), default=1)
        assert found.progress[0].major >= min(written, found.point)


def test_everything_is_confirmed_in_the_end() -> None:
    trail = Trail(5.0, 0)
    for n in range(1, 2000):
        trail.add(step(n * 10, n * 0.01))
    found = trail.confirmable(100.0)
    assert found is not None
    assert found.point == 19990


def test_a_large_load_of_others_does_not_hold_its_wal() -> None:
    """One keepalive before, one behind a gigabyte in which nothing of ours lies; then silence."""
    trail = Trail(5.0, 1 << 20)
    trail.add(step(1000, 0.0, progress=900))
    trail.add(step(1 << 30, 1.0, progress=900))
    assert trail.confirmable(3.0) is None
    found = trail.confirmable(7.0)
    assert found is not None
    assert found.point == (1 << 30) - (1 << 20)


def test_memory_is_bounded() -> None:
    trail = Trail(1e9, 1 << 60)
    for n in range(1, 50_000):
        trail.add(step(n << 40, float(n) * 1e6))
    assert len(trail._steps) <= 512
    assert trail.confirmable(0.0) is None


def test_backwards_is_a_mistake() -> None:
    trail = Trail(1.0, 0)
    trail.add(step(10, 0.0))
    with pytest.raises(ValueError, match="goes back"):
        trail.add(step(9, 1.0))
