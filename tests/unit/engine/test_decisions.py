"""When a view must be filled from the truth, what waits behind a letter, who is an operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.operators import presented
from consumers.analytics.projection import AnalyticsProjection
from consumers.engine import dead_letters
from consumers.engine.catchup import refill_reason
from consumers.engine.checkpoint import Checkpoint, Refill
from consumers.engine.log import Head
from consumers.engine.options import Options
from consumers.engine.projection import Rejection
from runtime.settings import Profile
from schemas.envelope import Event
from schemas.snapshot import Snapshot

NOW = datetime(2026, 11, 23, tzinfo=UTC)
HEAD = Head(2, 1, Snapshot.parse("100:100:"), 10_000, 5, 1_000)
STANDING = Checkpoint("life", 2, Snapshot.parse("90:90:"), 9_000, 5)


@pytest.mark.parametrize(
    ("checkpoint", "why"),
    [
        (None, "new"),
        (STANDING, None),
        (replace(STANDING, epoch=1), None),
        (replace(STANDING, epoch=1, snapshot=Snapshot.parse("500:500:")), None),  # a restore: ids decide
        (replace(STANDING, snapshot=Snapshot.parse("500:500:")), "reach"),
        (replace(STANDING, epoch=3), "reach"),
        (replace(STANDING, taken_at_ms=999), "reach"),
        (replace(STANDING, fill=4), "asked"),
        (replace(STANDING, refill=Refill("posts", None)), "interrupted"),
    ],
)
def test_refill_reason(checkpoint: Checkpoint | None, why: str | None) -> None:
    reason = refill_reason(checkpoint, HEAD)
    assert (reason is None) == (why is None)
    assert why is None or why in (reason or "")


def event(number: int, topic: str, key: str) -> Event:
    """An event with an id."""
    return Event(number, number, NOW, topic, f"{topic}.created.v1", key, {})


def test_only_facts_wait() -> None:
    parked = dead_letters.ParkedKeys()
    bad = event(1, "engagement", "p1")
    parked.park([bad, event(2, "post", "p1")])
    later = [event(3, "engagement", "p1"), event(4, "engagement", "p2"), event(5, "post", "p1")]
    ready, waiting = parked.split(later)
    assert waiting == later[:1]
    assert ready == later[1:]
    assert parked.superseded_by(later) == [("post", "p1")]


def test_a_view_that_takes_its_numbers_from_events_loses_none_to_a_later_one() -> None:
    """A post's first event counts as an activity of its school; what is said of the post later does not."""
    parked = dead_letters.ParkedKeys(AnalyticsProjection.facts)
    written, edited = event(1, "post", "p1"), event(2, "post", "p1")
    parked.park([written])
    assert parked.split([edited]) == ([], [edited])
    assert parked.superseded_by([edited]) == []
    behind = dead_letters.behind([Rejection(written, "no")], [written, edited], AnalyticsProjection.facts)
    assert behind == [edited]


def test_what_stands_behind_a_rejected_fact() -> None:
    events = [event(n, "engagement", key) for n, key in enumerate(["p1", "p2", "p1", "p2", "p1"])]
    found = dead_letters.behind([Rejection(events[2], "no")], events)
    assert found == [events[4]]
    states = [event(n, "post", "p1") for n in range(3)]
    assert dead_letters.behind([Rejection(states[0], "no")], states) == []


@pytest.mark.parametrize(
    ("authorization", "secret"),
    [
        ("Bearer abc", "abc"),
        ("Basic YW55Ym9keTphYmM=", "abc"),
        ("basic YW55Ym9keTphOmI=", "a:b"),
        ("Basic ???", ""),
        ("Basic /w==", ""),
        ("Digest abc", ""),
        ("", ""),
    ],
)
def test_the_secret_of_a_header(authorization: str, secret: str) -> None:
    assert presented(authorization) == secret


def test_an_idle_economy_consumer_fits_a_free_tier() -> None:
    economy = Options.of(Profile.ECONOMY)
    assert 86_400 / economy.block <= 1_500  # Redis commands a day
    assert Options.of(Profile.DEFAULT).block < economy.block
