"""What a view is worth: clamped durations, weights of samples, several views of one post in a batch."""

from __future__ import annotations

import pytest

from producers.bodies import SampledView
from producers.views import clamp, merge, weight


@pytest.mark.parametrize(("seconds", "kept"), [(-5, 0), (0, 0), (3.9, 3), (3_600, 3_600), (1e300, 3_600)])
def test_durations_are_believable(seconds: float, kept: int) -> None:
    assert clamp(seconds) == kept


@pytest.mark.parametrize(
    ("rate", "views"), [(1, 1), (0.9, 1), (0.5, 2), (0.2, 5), (0.01, 100), (0.001, 100), (5e-324, 100)]
)
def test_a_sample_stands_for_several(rate: float, views: int) -> None:
    assert weight(rate) == views


def test_views_of_one_post_become_one() -> None:
    seen = [
        SampledView(post_id="a", duration=2, source="share", sample_rate=0.5),
        SampledView(post_id="b"),
        SampledView(post_id="a", duration=3, sample_rate=0.2),
        SampledView(post_id="b"),
    ]
    merged = merge(seen)
    assert list(merged) == ["a", "b"]
    assert (merged["a"].duration, merged["a"].source, merged["a"].sample_rate) == (5, "share", 0.2)
    assert merged["b"].duration is None
