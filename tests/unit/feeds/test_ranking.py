"""The order of a feed, as a function."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.feeds.ranking import (
    DECAY,
    HOUR_MS,
    WEIGHTS,
    Candidate,
    Profile,
    Ranked,
    diversify,
    hot_score,
    mark,
    quality,
    rank,
    rank_one,
    weighted_engagement,
)

NOW = 1_790_000_000_000

names = st.sampled_from(["a", "b", "c", "d"])
types = st.sampled_from(["ARTICLE", "QUIZ", "QUESTION", "POLL"])
tags = st.lists(st.sampled_from(["algebra", "physics", "khmer", "exam"]), unique=True).map(tuple)
candidates = st.builds(
    Candidate,
    id=st.uuids().map(str),
    author=names,
    school=st.none(),
    visibility=st.just("PUBLIC"),
    type=types,
    created_ms=st.integers(NOW - 60 * 24 * HOUR_MS, NOW + HOUR_MS),
    pinned=st.booleans(),
    quality=st.floats(0, 1),
    tags=tags,
    likes=st.integers(0, 5000),
    comments=st.integers(0, 5000),
    shares=st.integers(0, 1000),
    views=st.integers(0, 10**6),
    likers=st.lists(names.map(mark), unique=True).map(tuple),
    commenters=st.lists(names.map(mark)).map(tuple),
)
profiles = st.builds(
    Profile,
    follows=st.lists(names, unique=True).map(tuple),
    circle=st.frozensets(names.map(mark)),
    topics=st.dictionaries(st.sampled_from(["algebra", "physics"]), st.floats(0, 100)),
    authors=st.dictionaries(names, st.floats(0, 100)),
    learning=st.frozensets(st.sampled_from(["algebra", "khmer"])),
    negative=st.dictionaries(st.sampled_from(["khmer", "QUIZ"]), st.floats(0, 100)),
)
lists = st.lists(candidates, max_size=60, unique_by=lambda post: post.id)


def post(**columns: object) -> Candidate:
    defaults = {"id": "p", "author": "a", "school": None, "visibility": "PUBLIC", "type": "ARTICLE"}
    return Candidate(**{**defaults, "created_ms": NOW, "pinned": False, "quality": 0.5, **columns})  # type: ignore[arg-type]


def factors(one: Candidate, profile: Profile | None = None, semantic: float = 0.0) -> dict[str, float]:
    return dict(zip(WEIGHTS, rank_one(one, profile or Profile(), semantic, NOW).factors, strict=True))


def test_the_weights_are_the_plans() -> None:
    assert tuple(WEIGHTS.values()) == (0.25, 0.20, 0.15, 0.15, 0.10, 0.08, 0.07)
    assert math.isclose(sum(WEIGHTS.values()), 1)


def test_each_factor_follows_its_formula() -> None:
    profile = Profile(
        follows=("a",),
        circle=frozenset({mark("x"), mark("y")}),
        topics={"algebra": 50.0, "exam": 20.0},
        learning=frozenset({"algebra"}),
    )
    one = post(
        tags=("algebra", "exam", "other"), type="QUIZ", likes=5, comments=2, shares=1, views=10,
        likers=(mark("x"), mark("z")), commenters=(mark("y"), mark("y")), created_ms=NOW - 24 * HOUR_MS,
    )  # fmt: skip
    found = factors(one, profile, 0.8)
    assert found["engagement"] == pytest.approx(37 / 87)
    assert found["relevance"] == pytest.approx(0.35 + 0.2)
    assert found["recency"] == pytest.approx(0.5, abs=0.002)
    assert found["socialProof"] == pytest.approx((2 + 6) / 15)
    assert found["learningContext"] == pytest.approx(1.3 / 3)
    assert found["semantic"] == 0.8
    score = rank_one(one, profile, 0.8, NOW).score
    assert score == pytest.approx(sum(WEIGHTS[name] * value for name, value in found.items()))


@pytest.mark.parametrize(
    ("affinity", "followed", "expected"),
    [(0, False, 0.0), (0, True, 0.2), (3, True, 0.2), (30, True, 0.3), (30, False, 0.3), (100, True, 0.4)],
)
def test_an_author_counts_by_affinity_or_by_being_followed(
    affinity: float, followed: bool, expected: float
) -> None:
    profile = Profile(follows=("a",) if followed else (), authors={"a": affinity} if affinity else {})
    assert factors(post(), profile)["relevance"] == pytest.approx(expected)


def test_quality_by_type_and_by_what_a_post_has() -> None:
    plain = {
        "media": False,
        "length": 10,
        "titled": False,
        "verified": False,
        "bounty": 0,
        "rating": None,
        "ratings": 0,
    }
    assert quality("COURSE", **plain) == 0.85  # type: ignore[arg-type]
    assert quality("SOMETHING_NEW", **plain) == 0.40  # type: ignore[arg-type]
    rich = {**plain, "media": True, "length": 600, "titled": True, "verified": True}
    assert quality("ARTICLE", **rich) == pytest.approx(0.85)  # type: ignore[arg-type]
    assert quality("QUESTION", **{**plain, "bounty": 600}) == pytest.approx(0.75)  # type: ignore[arg-type]
    rated = {**plain, "rating": 5.0, "ratings": 50}
    assert quality("ARTICLE", **rated) == pytest.approx(0.68, abs=1e-4)  # type: ignore[arg-type]


def test_what_a_viewer_turned_away_from_sinks() -> None:
    profile = Profile(negative={"khmer": 36.0, "ARTICLE": 18.0})
    turned = rank_one(post(tags=("khmer",)), profile, 0, NOW).score
    assert rank_one(post(tags=("khmer",)), Profile(), 0, NOW).score - turned == pytest.approx(0.3 * 54 / 200)


def test_pinned_posts_come_first() -> None:
    posts = [post(id="new"), post(id="pin", author="b", pinned=True, created_ms=0), post(id="x", author="c")]
    assert rank(posts, Profile(), {}, NOW)[0].id == "pin"


def test_more_in_semantic_more_in_score() -> None:
    posts = [post(id="far"), post(id="near", author="b")]
    assert [one.id for one in rank(posts, Profile(), {"near": 0.9, "far": 0.1}, NOW)] == ["near", "far"]


@given(candidates, profiles, st.floats(-1, 2))
def test_factors_and_scores_stay_in_their_bounds(one: Candidate, profile: Profile, semantic: float) -> None:
    ranked = rank_one(one, profile, semantic, NOW)
    assert all(0 <= factor <= 1 for factor in ranked.factors)
    assert -0.3 <= ranked.score - 1000 * one.pinned <= 1 + 1e-9


@given(lists, profiles, st.integers(0, 80), st.randoms())
@settings(max_examples=60)
def test_a_ranking_is_the_same_for_any_order_of_candidates_and_holds_each_once(
    posts: list[Candidate], profile: Profile, size: int, random: object
) -> None:
    ranked = rank(posts, profile, {}, NOW, size)
    shuffled = list(posts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, profile, {}, NOW, size) == ranked
    found = [one.id for one in ranked]
    assert len(found) == len(set(found)) == min(size, len(posts))
    assert set(found) <= {one.id for one in posts}


def _three_in_a_row(shown: Sequence[Ranked]) -> bool:
    authors, kinds = {one.author for one in shown}, {one.type for one in shown}
    return len(shown) == 3 and (len(authors) == 1 or len(kinds) == 1)


@given(lists)
@settings(max_examples=100)
def test_three_alike_in_a_row_only_when_nothing_else_is_left(posts: list[Candidate]) -> None:
    scored = sorted((rank_one(one, Profile(), 0, NOW) for one in posts), key=lambda one: -one.score)
    shown = diversify(scored, len(scored))
    for place in range(2, len(shown)):
        if _three_in_a_row(shown[place - 2 : place + 1]):
            assert all(_three_in_a_row([*shown[place - 2 : place], other]) for other in shown[place:])


@given(lists)
def test_the_best_stays_first_and_a_prefix_is_a_shorter_ranking(posts: list[Candidate]) -> None:
    full = rank(posts, Profile(), {}, NOW)
    assert rank(posts, Profile(), {}, NOW, 10) == full[:10]
    if full:
        assert full[0].score == max(one.score for one in full)


@given(candidates, candidates, st.integers(0, 100 * 24))
def test_hot_scores_order_posts_as_their_decayed_engagement_does_at_any_time(
    one: Candidate, other: Candidate, hours: int
) -> None:
    def engagement(p: Candidate) -> float:
        return weighted_engagement(p.likes, p.comments, p.shares, p.views)

    first, second = (hot_score(engagement(p), p.created_ms) for p in (one, other))
    if first is None or second is None or abs(first - second) < 1e-6:
        return
    at = NOW + hours * HOUR_MS

    def decayed(p: Candidate) -> float:
        return math.log(engagement(p)) - DECAY * (at - p.created_ms) / HOUR_MS

    assert (first > second) == (decayed(one) > decayed(other))
