"""What Redis keeps of a post and of a viewer, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.feeds import profile as profiles
from consumers.feeds.mapping import candidate_of, decode, encode, fold_tags, touched
from consumers.feeds.profile import KeptProfile, profile_of
from consumers.feeds.ranking import Candidate, mark
from schemas.envelope import Event
from schemas.topics import topic_of
from tests.unit.feeds.test_ranking import profiles as some_profiles

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
counts = st.integers(0, 2**31 - 1)
posts = st.builds(
    Candidate,
    id=texts,
    author=texts,
    school=st.none() | texts,
    visibility=st.sampled_from(["PUBLIC", "SCHOOL", "CLASS", "PRIVATE"]),
    type=texts,
    created_ms=st.integers(0, 9 * 10**13),
    pinned=st.booleans(),
    quality=st.floats(0, 1).map(lambda value: round(value, 4)),
    tags=st.lists(texts, unique=True).map(tuple),
    likes=counts,
    comments=counts,
    shares=counts,
    views=counts,
    likers=st.lists(texts.map(mark)).map(tuple),
    commenters=st.lists(texts.map(mark)).map(tuple),
)

ROW: dict[str, Any] = {
    "id": "p", "author": "a", "school": "s", "visibility": "PUBLIC", "type": "QUIZ", "created_ms": 1000,
    "pinned": False, "media": True, "length": 300, "titled": True, "verified": False, "bounty": 0, "rating": None,
    "ratings": 0, "tags": ["Math", None, " #math ", "ភាសាខ្មែរ"], "shares": -1, "views": 3, "likes": 2, "comments": 1,
    "likers": ["x"], "commenters": [],
}  # fmt: skip


@given(st.lists(posts, max_size=5))
def test_what_is_kept_of_posts_comes_back_the_same(kept: list[Candidate]) -> None:
    values = [f"{state.static}\n{state.counts}".encode() for state in map(encode, kept)]
    assert decode(values) == kept
    assert not any("\n" in state.static + state.counts for state in map(encode, kept))


@given(some_profiles, st.tuples(st.integers(0), st.integers(0)))
def test_what_is_kept_of_a_viewer_comes_back_the_same(profile: Any, versions: tuple[int, int]) -> None:
    versions = (versions[0] % 2**53, versions[1] % 2**53)
    assert profiles.decode(profiles.encode(KeptProfile(profile, versions))) == KeptProfile(profile, versions)


def test_a_row_becomes_a_candidate() -> None:
    one = candidate_of(ROW)
    assert one.tags == ("math", "ភាសាខ្មែរ")
    assert one.quality == pytest.approx(1.0)
    assert (one.shares, one.views, one.likers) == (0, 3, (mark("x"),))


def test_an_unknown_visibility_is_kept_from_others() -> None:
    assert candidate_of({**ROW, "visibility": "FRIENDS"}).visibility == "PRIVATE"


def test_counts_are_apart_from_what_is_news() -> None:
    one, liked = encode(candidate_of(ROW)), encode(candidate_of({**ROW, "likes": 3}))
    assert one.static == liked.static
    assert one.counts != liked.counts


def event(kind: str, key: str, **data: Any) -> Event:
    return Event(1, 5, datetime.now(UTC), topic_of(kind), f"{kind}.v1", key, data)


@pytest.mark.parametrize(
    ("happened", "posts", "authors", "viewers", "actors"),
    [
        (event("post.created", "p"), ["p"], [], [], []),
        (event("post.counters_changed", "p"), ["p"], [], [], []),
        (event("post.deleted", "p"), ["p"], [], [], []),
        (event("like.created", "p", userId="u"), ["p"], [], [], ["u"]),
        (event("bookmark.deleted", "p", userId="u"), ["p"], [], [], ["u"]),
        (event("comment.deleted", "p", userId=None), ["p"], [], [], []),
        (event("user.updated", "u"), [], ["u"], ["u"], []),
        (event("follow.deleted", "u", followingId="w"), [], [], ["u"], []),
        (event("block.created", "u", blockedId="w"), [], [], ["u", "w"], []),
        (event("club_member.changed", "c", userId="u"), [], [], [], ["u"]),
        (event("club.updated", "c"), [], [], [], []),
        (event("enrollment.changed", "k", userId="u"), [], [], [], ["u"]),
    ],
)
def test_what_an_event_touches(
    happened: Event, posts: list[str], authors: list[str], viewers: list[str], actors: list[str]
) -> None:
    found = touched([happened], refill=False)
    assert [list(found.posts), list(found.authors), list(found.viewers), list(found.actors)] == [
        posts, authors, viewers, actors,
    ]  # fmt: skip


def test_a_refill_reads_posts_by_their_own_events_only() -> None:
    events = [event("post.created", "p"), event("like.created", "q", userId="u"), event("user.created", "u")]
    found = touched(events, refill=True)
    assert (list(found.posts), list(found.authors), list(found.viewers), list(found.actors)) == (
        ["p"],
        [],
        [],
        [],
    )


def test_a_profile_from_what_a_viewer_says_and_does() -> None:
    row = {
        "follows": ["f"], "clubmates": ["m"], "coursemates": [], "interests": ["Algebra"], "skills": ["algebra", "Go"],
        "goals": "Doctor, Algebra", "learning": ["Mathematics"],
        "acts": [
            {"kind": "like", "author": "a", "tags": ["Physics"]},
            {"kind": "comment", "author": "a", "tags": ["physics", "Algebra"]},
        ],
    }  # fmt: skip
    found = profile_of(row, [("HIDE", "QUIZ", ["Poems"]), ("SHOW_LESS", "QUIZ", None)])
    assert found.topics == {"algebra": 40.0, "go": 15.0, "doctor": 30.0, "physics": 8.0}
    assert found.authors == {"a": 8.0}
    assert found.circle == {mark("f"), mark("m")}
    assert found.learning == {"mathematics"}
    assert found.negative == {"poems": 18.0, "QUIZ": 26.0}


def test_tags_fold_case_hash_and_repeats() -> None:
    assert fold_tags(["#StudyTips", "studytips ", "", None, "ÉTÉ"]) == ["studytips", "été"]
    assert fold_tags(None) == []
