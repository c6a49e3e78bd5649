"""Entries of several streams, as a relay writes them and as Redis may mangle them: nothing is missed unnoticed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.checkpoint import Checkpoint, Refill, Scan, StreamState
from consumers.engine.positions import NOTHING, StreamId
from consumers.engine.tracker import Lost, Tracker, Verdict
from schemas.envelope import Event
from schemas.snapshot import Snapshot
from schemas.wire import End, Entry, Gap, Marker

STREAMS = ("a", "b")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
Line = tuple[str, StreamId, int, Entry]


def event(xid: int) -> Event:
    """An event of one transaction."""
    return Event(xid, xid, NOW, "post", "post.created.v1", f"k{xid}", {})


def start(**changes: object) -> Checkpoint:
    """A view that stands at the beginning of two streams."""
    fields: dict[str, object] = {"streams": {name: StreamState() for name in STREAMS}} | changes
    return Checkpoint("life", 1, NOTHING, 0, 0, **fields)  # type: ignore[arg-type]


@st.composite
def publications(draw: st.DrawFn) -> list[Line]:
    """What a relay publishes: events spread over streams, now and then a marker on all of them."""
    numbers = dict.fromkeys(STREAMS, 0)
    lines: list[Line] = []
    xid, markers = 3, 0
    for index in range(1, draw(st.integers(2, 13))):
        if draw(st.booleans()):
            stream = draw(st.sampled_from(STREAMS))
            numbers[stream] += 1
            lines.append((stream, (1, index), numbers[stream], event(xid)))
            xid += 1
        else:
            markers += 1
            for stream in STREAMS:
                numbers[stream] += 1
                marker = Marker(markers, f"{xid}:{xid}:", f"1-{index}", markers)
                lines.append((stream, (1, index), numbers[stream], marker))
    return lines


@given(publications())
def test_everything_is_applied_once_and_the_snapshot_is_honest(lines: list[Line]) -> None:
    tracker = Tracker(start())
    applied: set[int] = set()
    for stream, position, n, entry in lines:
        if tracker.accept(stream, position, n, entry) is Verdict.APPLY and isinstance(entry, Event):
            assert entry.xid not in applied
            applied.add(entry.xid)
        sees = tracker.checkpoint().snapshot.sees
        assert all(xid in applied for xid in range(3, 30) if sees(xid))
    assert applied == {entry.xid for *_, entry in lines if isinstance(entry, Event)}


@given(publications(), st.data())
def test_a_lost_entry_is_noticed_no_later_than_the_next_of_its_stream(
    lines: list[Line], data: st.DataObject
) -> None:
    lost = data.draw(st.integers(0, len(lines) - 1))
    stream = lines[lost][0]
    tracker = Tracker(start())
    for line in lines[:lost]:
        tracker.accept(*line)
    for line in lines[lost + 1 :]:
        if line[0] == stream:
            with pytest.raises(Lost):
                tracker.accept(*line)
            return
        tracker.accept(*line)


@given(publications(), st.integers(0, 30))
def test_redelivery_is_skipped_and_changes_nothing(lines: list[Line], back: int) -> None:
    tracker = Tracker(start())
    for line in lines:
        tracker.accept(*line)
    reached = tracker.checkpoint()
    for line in lines[max(len(lines) - back, 0) :]:
        assert tracker.accept(*line) is Verdict.SKIP
        is_event = isinstance(line[3], Event)
        assert tracker.accept(*line, pending=True) is (Verdict.APPLY if is_event else Verdict.SKIP)
    assert tracker.checkpoint() == reached


@given(publications())
def test_a_checkpoint_goes_on_where_it_was_taken(lines: list[Line]) -> None:
    tracker = Tracker(start())
    for line in lines:
        tracker = Tracker(Checkpoint.load(tracker.checkpoint().dump()))
        tracker.accept(*line)
    together = Tracker(start())
    for line in lines:
        together.accept(*line)
    assert tracker.checkpoint() == together.checkpoint()


def test_what_the_scan_had_is_skipped_behind_the_settled_point() -> None:
    tracker = Tracker(
        Checkpoint("life", 1, Snapshot.parse("10:10:"), 0, 0, streams={"a": StreamState((5, 1), 7)})
    )
    assert tracker.accept("a", (5, 2), 8, event(9)) is Verdict.SKIP
    assert tracker.accept("a", (5, 3), 9, event(10)) is Verdict.APPLY


def test_an_older_marker_does_not_take_the_snapshot_back() -> None:
    tracker = Tracker(
        Checkpoint("life", 1, Snapshot.parse("10:10:"), 5, 0, streams={"a": StreamState((5, 1), 7)})
    )
    tracker.accept("a", (5, 2), 8, Marker(3, "8:8:", "5-1", 1))
    assert str(tracker.checkpoint().snapshot) == "10:10:"
    tracker.accept("a", (5, 3), 9, Marker(4, "12:12:", "5-2", 9))
    assert str(tracker.checkpoint().snapshot) == "12:12:"
    assert tracker.checkpoint().taken_at_ms == 9


@pytest.mark.parametrize(
    ("position", "n", "entry"),
    [
        ((5, 2), 9, event(20)),  # a hole
        ((5, 1), 8, event(20)),  # the position of another life
        ((5, 2), 7, event(20)),  # the number of another life
        ((5, 2), 8, Gap()),
        ((5, 2), 8, End(2)),
        ((5, 2), 8, Marker(2, "20:20:", "5-1", 1)),  # numbers went back
    ],
)
def test_what_sends_the_consumer_to_the_log(position: StreamId, n: int, entry: Entry) -> None:
    tracker = Tracker(start(streams={"a": StreamState((5, 1), 7, marker=2)}))
    with pytest.raises(Lost):
        tracker.accept("a", position, n, entry)


def test_checkpoint_text() -> None:
    full = start(scan=Scan("7:7:", 2, 99, 1234), refill=Refill("posts", "c9"), served=False)
    assert Checkpoint.load(full.dump()) == full
    assert not full.live
    for text in ("{}", "[]", '{"v":2}', "nonsense"):
        with pytest.raises(ValueError):
            Checkpoint.load(text)
