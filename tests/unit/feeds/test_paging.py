"""Scrolling through a ranked list: nothing repeats and nothing is skipped, whatever happens between two pages."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.feeds.cursor import RankedCursor, add_shown, decode, encode
from consumers.feeds.pools import Mode
from consumers.feeds.ranking import Candidate, Profile
from consumers.feeds.session import Basis, Entry, Session, ranked_entries
from tests.unit.feeds.test_ranking import NOW, candidates, profiles

happenings = st.fixed_dictionaries(
    {
        "arrivals": st.integers(0, 3),
        "likes": st.lists(st.integers(0, 30), max_size=5),
        "lost": st.booleans(),
        "pinned": st.none() | st.integers(0, 30),
    }
)


def _arrival(number: int) -> Candidate:
    return Candidate(f"new{number}", "a", None, "PUBLIC", "QUIZ", NOW + 1000 + number, True, 1.0)


@given(
    st.lists(candidates, min_size=1, max_size=30, unique_by=lambda one: one.id),
    profiles,
    st.integers(1, 7),
    st.lists(happenings, min_size=1, max_size=40),
)
@settings(max_examples=80, deadline=None)
def test_pages_of_one_session(
    posts: list[Candidate], profile: Profile, limit: int, script: list[dict[str, object]]
) -> None:
    posts = [one._replace(created_ms=min(one.created_ms, NOW)) for one in posts]
    there = {one.id for one in posts}
    entries: list[Entry] = ranked_entries(posts, profile, {}, NOW)
    offset, shown, seen = 0, b"", list[str]()
    for step in range(len(posts) + 1):
        page = entries[offset : offset + limit]
        offset += len(page)
        seen += [entry.id for entry in page]
        shown = add_shown(shown, [entry.id for entry in page])
        if offset >= len(entries):
            break
        cursor = decode(encode(RankedCursor(Mode.FOR_YOU, "ab", offset, NOW, shown)), Mode.FOR_YOU)
        assert isinstance(cursor, RankedCursor)
        happening = script[step % len(script)]
        posts = _happen(posts, happening, step)
        if happening["lost"]:
            entries, offset = ranked_entries(posts, profile, {}, cursor.ranked_at_ms, cursor), 0
    assert len(seen) == len(set(seen))
    assert set(seen) == there


def _happen(posts: list[Candidate], happening: dict[str, object], step: int) -> list[Candidate]:
    changed = list(posts)
    for place in happening["likes"]:  # type: ignore[attr-defined]
        if place < len(changed):
            changed[place] = changed[place]._replace(likes=changed[place].likes + 1000)
    pinned = happening["pinned"]
    if isinstance(pinned, int) and pinned < len(changed):
        changed[pinned] = changed[pinned]._replace(pinned=not changed[pinned].pinned)
    return [*changed, *(_arrival(100 * step + number) for number in range(happening["arrivals"]))]  # type: ignore[call-overload]


def test_a_session_rests_on_near_versions_at_once_and_on_drift_when_old() -> None:
    session = Session("s", NOW, [], False, Basis("near", (1, 2)))
    assert session.holds(Basis("near", (1, 2)), NOW + 10**9)
    assert session.holds(Basis("near", (1, 3)), NOW + 29_999)
    assert not session.holds(Basis("near", (1, 3)), NOW + 30_000)
    assert not session.holds(Basis("other", (1, 2)), NOW)
