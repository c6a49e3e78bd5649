"""Events fold to facts: once each, in any repetition, with clocks and durations put right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.analytics.facts import EARLIEST, LATEST, fold
from schemas.envelope import Event

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def event(kind: str, key: str = "p1", /, **data: Any) -> Event:
    return Event(1, 1, NOW, "view", f"{kind}.v1", key, data)


def test_a_view_is_clamped_and_its_source_known() -> None:
    changes, _ = fold(
        [event("post.viewed", id="v1", at="2026-11-23T11:00:00Z", duration=10**9, source="<x>", weight=0)]
    )
    view = changes.views["v1"]
    assert (view.duration_s, view.source, view.weight, view.viewer_id) == (3600, "other", 1, None)


@pytest.mark.parametrize(
    ("at", "nearest"), [("9000-01-01T00:00:00Z", LATEST), ("1970-01-01T00:00:00Z", EARLIEST)]
)
def test_a_broken_clock_gives_the_nearest_time_that_can_be(at: str, nearest: datetime) -> None:
    changes, _ = fold([event("post.viewed", id="v1", at=at), event("like.deleted", id="l1", at=at)])
    assert changes.views["v1"].time == nearest
    assert changes.removed_engagements["like:l1"] == nearest


def test_a_fact_has_the_time_of_its_row_whenever_it_comes() -> None:
    changes, _ = fold([event("post.viewed", id="v1", at="2031-01-01T00:00:00Z")])
    assert changes.views["v1"].time == datetime(2031, 1, 1, tzinfo=UTC)


def test_a_like_taken_back_leaves_only_its_removal() -> None:
    like = {"id": "l1", "at": "2026-11-23T11:00:00Z", "userId": "u1"}
    changes, _ = fold([event("like.created", **like), event("like.deleted", **like)])
    assert not changes.engagements
    assert not changes.activities
    assert changes.removed_engagements == {"like:l1": NOW - timedelta(hours=1)}


def test_a_view_taken_back_is_removed() -> None:
    data = {"id": "v1", "at": "2026-11-23T11:00:00Z"}
    changes, _ = fold([event("post.viewed", **data), event("view.deleted", **data)])
    assert not changes.views
    assert changes.removed_views == {"v1": NOW - timedelta(hours=1)}


def test_a_deleted_post_takes_its_facts_along() -> None:
    changes, _ = fold(
        [event("post.viewed", id="v1"), event("post.viewed", "p2", id="v2"), event("post.deleted")]
    )
    assert set(changes.views) == {"v2"}
    assert changes.deleted_posts == {"p1"}


def test_what_cannot_be_a_fact_is_named() -> None:
    _, unusable = fold([event("post.viewed"), event("post.viewed", id="v1", at="yesterday")])
    assert [reason for _, reason in unusable] == ["id is missing", "not a time: 'yesterday'"]


_events = st.lists(
    st.builds(
        lambda kind, number: event(kind, id=f"f{number}", at="2026-11-23T11:00:00Z", userId="u1"),
        st.sampled_from(["post.viewed", "like.created", "like.deleted", "comment.created"]),
        st.integers(0, 3),
    ),
    max_size=20,
)


@given(_events)
def test_repeating_a_run_of_events_changes_nothing(events: list[Event]) -> None:
    once, twice = fold(events)[0], fold([*events, *events])[0]
    assert set(twice.views) == set(once.views)
    assert set(twice.engagements) == set(once.engagements)
