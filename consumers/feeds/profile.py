"""What the ranker knows of a viewer: made from one row of PostgreSQL, kept as JSON in Redis. Pure.

Topics come from the interests a viewer has stated and from what they liked, kept and commented on in the last 90
days; affinities to authors from the same. The row's columns are sql/profile.sql; when a kept profile is out of date
is said by the versions in `schema.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consumers.feeds.mapping import fold_tags
from consumers.feeds.ranking import Profile, mark

_STATED: Final = (("interests", 20.0), ("skills", 15.0))
_GOAL: Final = 30.0
_TOPIC_POINTS: Final = {"like": 3.0, "bookmark": 4.0, "comment": 5.0}
_AUTHOR_POINTS: Final = {"like": 3.0, "comment": 5.0, "bookmark": 6.0}
_FEEDBACK_POINTS: Final = {"HIDE": 18.0, "NOT_INTERESTED": 14.0, "SHOW_LESS": 8.0}
_MOST: Final = 100.0
_TOPICS_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """A profile with the versions that it was made at."""

    profile: Profile
    versions: tuple[int, int]


def profile_of(row: Mapping[str, Any], feedback: Iterable[tuple[str, str, list[str] | None]]) -> Profile:
    """The profile of a viewer.

    Args:
        row: one row of sql/profile.sql.
        feedback: what the viewer turned away from: type of feedback, type of the post, its tags.
    """
    topics, authors = _stated_topics(row), dict[str, float]()
    for act in row["acts"]:
        for tag in fold_tags(act["tags"]):
            topics[tag] = min(_MOST, topics.get(tag, 0.0) + _TOPIC_POINTS[act["kind"]])
        author = act["author"]
        authors[author] = min(_MOST, authors.get(author, 0.0) + _AUTHOR_POINTS[act["kind"]])
    strongest = sorted(topics.items(), key=lambda item: (-item[1], item[0]))[:_TOPICS_KEPT]
    return Profile(
        follows=tuple(row["follows"]),
        circle=frozenset(
            mark(user) for group in ("follows", "clubmates", "coursemates") for user in row[group]
        ),
        topics=dict(strongest),
        authors=authors,
        learning=frozenset(fold_tags(row["learning"])),
        negative=_negative(feedback),
    )


def _stated_topics(row: Mapping[str, Any]) -> dict[str, float]:
    topics: dict[str, float] = {}
    for column, points in _STATED:
        for tag in fold_tags(row[column]):
            topics.setdefault(tag, points)
    for goal in fold_tags((row["goals"] or "").split(",")):
        topics[goal] = topics[goal] + 15.0 if goal in topics else _GOAL
    return topics


def _negative(feedback: Iterable[tuple[str, str, list[str] | None]]) -> dict[str, float]:
    points: dict[str, float] = {}
    for kind, post_type, tags in feedback:
        for topic in (*fold_tags(tags), post_type):
            points[topic] = min(_MOST, points.get(topic, 0.0) + _FEEDBACK_POINTS.get(kind, 0.0))
    return points


def encode(kept: KeptProfile) -> bytes:
    """A profile as Redis keeps it."""
    profile = kept.profile
    return orjson.dumps(
        {
            "versions": kept.versions,
            "follows": profile.follows,
            "circle": sorted(profile.circle),
            "topics": profile.topics,
            "authors": profile.authors,
            "learning": sorted(profile.learning),
            "negative": profile.negative,
        }
    )


def decode(text: bytes) -> KeptProfile:
    """The profile that Redis keeps."""
    kept = orjson.loads(text)
    near, far = kept["versions"]
    profile = Profile(
        tuple(kept["follows"]),
        frozenset(kept["circle"]),
        kept["topics"],
        kept["authors"],
        frozenset(kept["learning"]),
        kept["negative"],
    )
    return KeptProfile(profile, (near, far))
