"""Which posts take a place in a list: those that hydration will let the viewer have."""

from __future__ import annotations

import pytest

from consumers.feeds.pools import visible
from consumers.feeds.ranking import Candidate
from runtime.access import Scope, Viewer


def candidate(visibility: str, *, school: str | None = "north") -> Candidate:
    """A post of the author."""
    return Candidate(
        id=visibility,
        author="author",
        school=school,
        visibility=visibility,
        type="ARTICLE",
        created_ms=0,
        pinned=False,
        quality=0.5,
        tags=(),
        likes=0,
        comments=0,
        shares=0,
        views=0,
        likers=(),
        commenters=(),
    )


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(Viewer("author", "STUDENT", "north")), ["PUBLIC", "SCHOOL", "CLASS", "PRIVATE"]),
        (Scope(Viewer("mate", "STUDENT", "north"), classmates=("author",)), ["PUBLIC", "SCHOOL", "CLASS"]),
        (Scope(Viewer("schoolmate", "STUDENT", "north")), ["PUBLIC", "SCHOOL"]),
        (Scope(Viewer("stranger", "STUDENT", "south")), ["PUBLIC"]),
        (Scope(Viewer("guest", "STUDENT", None)), ["PUBLIC"]),
        (Scope(Viewer("blocker", "STUDENT", "north"), blocked=("author",)), []),
    ],
    ids=lambda value: value.viewer.id if isinstance(value, Scope) else "",
)
def test_what_one_may_see_by_visibility(scope: Scope, seen: list[str]) -> None:
    posts = [candidate(one) for one in ("PUBLIC", "SCHOOL", "CLASS", "PRIVATE")]
    assert [post.id for post in visible(posts, scope)] == seen


def test_a_post_of_no_school_is_not_for_people_of_no_school() -> None:
    assert visible([candidate("SCHOOL", school=None)], Scope(Viewer("guest", "STUDENT", None))) == []
