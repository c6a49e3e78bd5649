"""The order of a feed: seven weighted factors, pins, negative feedback, and no three alike in a row. Pure.

Candidates come from Redis (`view.py`) or PostgreSQL (`fallback.py`) and are ranked here the same way. Who may see a
post is not decided here: `pools.py` narrows, and hydration applies the rule of `runtime/access.py`.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Final, NamedTuple

#: The plan's weights; they add up to 1.
WEIGHTS: Final[Mapping[str, float]] = {
    "engagement": 0.25,
    "relevance": 0.20,
    "quality": 0.15,
    "recency": 0.15,
    "socialProof": 0.10,
    "learningContext": 0.08,
    "semantic": 0.07,
}
_WEIGHT_VALUES: Final = tuple(WEIGHTS.values())
NEGATIVE_WEIGHT: Final = 0.30
PIN_BONUS: Final = 1000.0

#: Per hour; half of it is gone after 24.
DECAY: Final = 0.029
HOUR_MS: Final = 3_600_000

#: How many ranked posts a session keeps.
SESSION_SIZE: Final = 200

_BASE_QUALITY: Final[Mapping[str, float]] = {
    "COURSE": 0.85,
    "QUIZ": 0.80,
    "TUTORIAL": 0.80,
    "PROJECT": 0.75,
    "RESEARCH": 0.75,
    "RESOURCE": 0.70,
    "EXAM": 0.70,
    "ASSIGNMENT": 0.65,
    "ARTICLE": 0.50,
    "QUESTION": 0.45,
}
_LEARNING_TYPES: Final = frozenset(
    {"COURSE", "QUIZ", "EXAM", "ASSIGNMENT", "TUTORIAL", "RESOURCE", "RESEARCH"}
)


class Candidate(NamedTuple):
    """A post, as far as the order depends on it. People are given by their `mark`.

    A tuple because hundreds are made for every ranking, which takes a frozen dataclass eight times as long.
    """

    id: str
    author: str
    school: str | None
    visibility: str
    type: str
    created_ms: int
    pinned: bool
    quality: float
    tags: tuple[str, ...] = ()
    likes: int = 0
    comments: int = 0
    shares: int = 0
    views: int = 0
    likers: tuple[int, ...] = ()
    commenters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A viewer, as far as the order depends on them. Tags are folded, scores are 0..100."""

    follows: tuple[str, ...] = ()
    circle: frozenset[int] = frozenset()
    topics: Mapping[str, float] = field(default_factory=dict)
    authors: Mapping[str, float] = field(default_factory=dict)
    learning: frozenset[str] = frozenset()
    negative: Mapping[str, float] = field(default_factory=dict)
    followed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "followed", frozenset(self.follows))


class Ranked(NamedTuple):
    """A candidate with its score, and the factors in the order of `WEIGHTS`."""

    id: str
    author: str
    type: str
    created_ms: int
    score: float
    factors: tuple[float, ...]


def mark(user: str) -> int:
    """A person as a small number: lists of likers stay short, and a mix-up moves one factor by a hair."""
    return zlib.crc32(user.encode("utf-8", "surrogatepass"))


def weighted_engagement(likes: int, comments: int, shares: int, views: int) -> float:
    """What a post has stirred."""
    return 3.0 * likes + 5.0 * comments + 7.0 * shares + 0.5 * views


def hot_score(engagement: float, created_ms: int) -> float | None:
    """Orders posts by decayed engagement at any time to come; None when nobody has engaged."""
    return math.log(engagement) + DECAY * created_ms / HOUR_MS if engagement > 0 else None


def quality(
    post_type: str,
    *,
    media: bool,
    length: int,
    titled: bool,
    verified: bool,
    bounty: int,
    rating: float | None,
    ratings: int,
) -> float:
    """How good a post is by what can be seen of it, 0..1."""
    score = _BASE_QUALITY.get(post_type, 0.40)
    score += 0.10 * media + 0.05 * (length > 200) + 0.05 * (length > 500) + 0.10 * verified + 0.05 * titled
    if post_type == "QUESTION":
        score += min(max(bounty, 0) / 300, 0.3)
    if rating is not None:
        score += 0.18 * (rating / 5) * (1 - math.exp(-ratings / 5))
    return min(1.0, max(0.0, score))


def relevance(post: Candidate, profile: Profile) -> float:
    """What the viewer cares about: the post's topics, and its author."""
    matched = [profile.topics[tag] for tag in post.tags if tag in profile.topics]
    topic = min(1.0, sum(matched) / (100 * len(matched))) if matched else 0.0
    affinity = min(profile.authors.get(post.author, 0.0) / 100, 0.4)
    return min(1.0, topic + max(affinity, 0.2 if post.author in profile.followed else 0.0))


def learning_context(post: Candidate, profile: Profile) -> float:
    """How much of the post is about courses that the viewer takes."""
    if not profile.learning or not post.tags:
        return 0.0
    shared = sum(tag in profile.learning for tag in post.tags) / len(post.tags)
    return min(1.0, shared * (1.3 if post.type in _LEARNING_TYPES else 1.0))


def social_proof(post: Candidate, profile: Profile) -> float:
    """Whether people around the viewer have engaged."""
    is_near = profile.circle.__contains__
    liked, commented = sum(map(is_near, post.likers)), sum(map(is_near, post.commenters))
    return min(1.0, (2 * liked + 3 * commented) / 15)


def negative(post: Candidate, profile: Profile) -> float:
    """How much the viewer has turned away from the post's topics and type."""
    if not profile.negative:
        return 0.0
    topics = (*post.tags, post.type)
    return min(1.0, sum(profile.negative.get(topic, 0.0) for topic in topics) / (100 * len(topics)))


def rank_one(post: Candidate, profile: Profile, semantic: float, now_ms: int) -> Ranked:
    """One candidate with its score."""
    engagement = weighted_engagement(post.likes, post.comments, post.shares, post.views)
    age_hours = max(0, now_ms - post.created_ms) / HOUR_MS
    factors = (
        engagement / (engagement + 50),
        relevance(post, profile),
        post.quality,
        math.exp(-DECAY * age_hours),
        social_proof(post, profile),
        learning_context(post, profile),
        min(1.0, max(0.0, semantic)),
    )
    score = sum(map(mul, _WEIGHT_VALUES, factors))
    score += PIN_BONUS * post.pinned - NEGATIVE_WEIGHT * negative(post, profile)
    return Ranked(post.id, post.author, post.type, post.created_ms, score, factors)


def rank(
    candidates: Iterable[Candidate],
    profile: Profile,
    semantic: Mapping[str, float],
    now_ms: int,
    size: int = SESSION_SIZE,
) -> list[Ranked]:
    """The first `size` candidates in the order in which they are shown."""
    scored = [rank_one(post, profile, semantic.get(post.id, 0.0), now_ms) for post in candidates]
    scored.sort(key=lambda one: (one.score, one.created_ms, one.id), reverse=True)
    return diversify(scored, size)


def diversify(ranked: Sequence[Ranked], size: int) -> list[Ranked]:
    """At every place the best that does not make three in a row of one author or one type, while there is one."""
    waiting = list(ranked)
    authors, types = Counter(one.author for one in waiting), Counter(one.type for one in waiting)
    shown: list[Ranked] = []
    while waiting and len(shown) < size:
        author, kind = _doubled(shown, "author"), _doubled(shown, "type")
        stuck = authors.get(author or "", 0) == len(waiting) or types.get(kind or "", 0) == len(waiting)
        place = 0 if stuck else _first_other(waiting, author, kind)
        chosen = waiting.pop(place)
        authors[chosen.author] -= 1
        types[chosen.type] -= 1
        shown.append(chosen)
    return shown


def _doubled(shown: Sequence[Ranked], what: str) -> str | None:
    """The author or type that the last two share."""
    if len(shown) < 2 or getattr(shown[-1], what) != getattr(shown[-2], what):
        return None
    doubled: str = getattr(shown[-1], what)
    return doubled


def _first_other(waiting: Sequence[Ranked], author: str | None, kind: str | None) -> int:
    for place, one in enumerate(waiting):
        if one.author != author and one.type != kind:
            return place
    return 0
