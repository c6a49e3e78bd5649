"""Which entries everybody sees: against the plain definition, over any history."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outbox.relay.position import START, Position
from outbox.relay.settled import SettledTracker, widen
from schemas.snapshot import Snapshot


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[Snapshot]]:
    """Xids in the order of their commits, and growing snapshots."""
    base = draw(st.integers(min_value=3, max_value=2**40))
    xids = draw(st.permutations([base + n for n in range(draw(st.integers(1, 12)))]))
    cuts = sorted(draw(st.lists(st.integers(0, len(xids)), min_size=1, max_size=4)))
    snapshots = []
    for cut in cuts:
        seen = set(xids[:cut])
        xmax = max(seen, default=base - 1) + 1
        running = frozenset(x for x in range(base, xmax) if x not in seen)
        snapshots.append(Snapshot(min(running, default=xmax), xmax, running))
    return xids, snapshots


@given(histories(), st.integers(0, 12))
def test_settled_is_the_longest_prefix_that_is_seen(
    history: tuple[list[int], list[Snapshot]], published: int
) -> None:
    xids, snapshots = history
    commits = [(100 + n, 1, xid % 2**32) for n, xid in enumerate(xids)]
    tracker = SettledTracker(START)
    tracker.published(commits[:published])
    for snapshot in snapshots:
        expected = START
        for commit, xid in list(zip(commits, xids, strict=True))[:published]:
            if not snapshot.sees(xid):
                break
            expected = Position(*commit[:2])
        assert tracker.settle(snapshot) == expected
        assert tracker.waiting == (expected != (commits[:published] or [(0, 0, 0)])[-1][:2])


def test_what_is_reached_is_not_waited_for() -> None:
    tracker = SettledTracker(Position(5, 0))
    tracker.published([(4, 1, 10), (6, 1, 11), (7, 1, 12)])
    tracker.reach(Position(6, 9))
    assert tracker.settled == Position(6, 9)
    assert tracker.waiting
    assert tracker.settle(Snapshot(13, 13)) == Position(7, 1)


@given(st.integers(min_value=0, max_value=2**63), st.integers(min_value=-(2**31) + 1, max_value=2**31 - 1))
def test_the_high_half_of_an_xid_comes_from_its_neighbourhood(near: int, distance: int) -> None:
    xid = near + distance
    if xid >= 0:
        assert widen(xid % 2**32, near) == xid
