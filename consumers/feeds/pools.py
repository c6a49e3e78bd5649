"""Where the candidates of a feed come from, and how many from each place: the same for Redis and for PostgreSQL. Pure.

`may_see` is the rule of `runtime/access.py` on what Redis knows, so that places in a page are not wasted on posts that
hydration would drop. It decides nothing: what leaves the API has passed the rule itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from consumers.feeds import schema
from consumers.feeds.ranking import DECAY, HOUR_MS, Candidate
from runtime.access import Scope

FOLLOWED: Final = 200
CLASS: Final = 100
PUBLIC: Final = 200
SCHOOL: Final = 200
OWN: Final = 20
HOT: Final = 60
EACH_CLASSMATE: Final = 5

#: The people followed last; whoever follows more sees the others through the pools of school and public.
MOST_FOLLOWS: Final = 2000

#: A post that stirred once, this long ago, is not trending any more.
HOT_HOURS: Final = 7 * 24
#: No post that is older than this can have stirred enough to trend.
HOT_SINCE_HOURS: Final = 30 * 24


class Mode(StrEnum):
    """What a viewer may ask for."""

    FOR_YOU = "FOR_YOU"
    FOLLOWING = "FOLLOWING"
    RECENT = "RECENT"


@dataclass(frozen=True, slots=True)
class Group:
    """Pools of which the first `each`, and of all of them together the first `total`, are wanted."""

    pools: Sequence[str]
    each: int
    total: int
    max: str = "+inf"
    min: str = "-inf"


def each_follow(follows: int) -> int:
    """How many posts of each person followed: fewer the more they are."""
    return min(20, max(3, 3000 // max(follows, 1)))


def least_hot(now_ms: int) -> float:
    """The hot score from which a post counts as trending."""
    return DECAY * (now_ms / HOUR_MS - HOT_HOURS)


def groups(mode: Mode, scope: Scope, follows: Sequence[str], now_ms: int) -> list[Group]:
    """What to read from Redis for a ranking."""
    authors = [schema.author_pool(author) for author in follows]
    followed = Group(authors, each_follow(len(follows)), FOLLOWED)
    if mode is Mode.FOLLOWING:
        return [followed]
    viewer, floor = scope.viewer, f"{least_hot(now_ms):.6f}"
    wanted = [
        followed,
        Group([schema.author_pool(mate) for mate in scope.classmates], EACH_CLASSMATE, CLASS),
        Group([schema.PUBLIC_POOL], PUBLIC, PUBLIC),
        Group([schema.author_pool(viewer.id)], OWN, OWN),
        Group([schema.private_pool(viewer.id)], OWN, OWN),
        Group([schema.HOT_PUBLIC_POOL], HOT, HOT, min=floor),
    ]
    if viewer.school_id is not None:
        wanted.append(Group([schema.school_pool(viewer.school_id)], SCHOOL, SCHOOL))
        wanted.append(Group([schema.hot_school_pool(viewer.school_id)], HOT, HOT, min=floor))
    return wanted


def recent_groups(scope: Scope, depth: int, highest: str) -> list[Group]:
    """The pools that together hold everything a viewer may see, from a chronological score down."""
    viewer = scope.viewer
    people = dict.fromkeys((viewer.id, *scope.classmates))
    parts = [
        [schema.PUBLIC_POOL],
        [schema.author_pool(person) for person in people],
        [schema.private_pool(viewer.id)],
    ]
    if viewer.school_id is not None:
        parts.append([schema.school_pool(viewer.school_id)])
    return [Group(pools, depth, depth, max=highest) for pools in parts]


def parameters(scope: Scope, follows: Sequence[str], now_ms: int) -> dict[str, Any]:
    """The same depths for sql/candidates.sql."""
    return {
        **scope.params(),
        "follows": list(follows),
        "each_follow": each_follow(len(follows)),
        "followed": FOLLOWED,
        "each_classmate": EACH_CLASSMATE,
        "class": CLASS,
        "public": PUBLIC,
        "school_depth": SCHOOL,
        "own": OWN,
        "hot": HOT,
        "decay": DECAY,
        "least_hot": least_hot(now_ms),
        "hot_hours": HOT_SINCE_HOURS,
    }


def may_see(post: Candidate, scope: Scope) -> bool:
    """Whether hydration will, as far as one can tell here, let the viewer have this post."""
    if post.author == scope.viewer.id:
        return True
    if post.author in scope.blocked:
        return False
    if post.visibility == "SCHOOL":
        return post.school is not None and post.school == scope.viewer.school_id
    if post.visibility == "CLASS":
        return post.author in scope.classmates
    return post.visibility == "PUBLIC"


def visible(posts: Sequence[Candidate], scope: Scope) -> list[Candidate]:
    """The posts that the viewer may see, each once."""
    seen = {post.id: post for post in posts}
    return [post for post in seen.values() if may_see(post, scope)]
