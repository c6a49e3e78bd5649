r"""Between PostgreSQL's rows, what Redis keeps, and what the ranker takes. Pure; the row's columns are sql/posts.sql.

A post in Redis is `<static JSON>\n<counts JSON>`. The script that writes it compares the two parts with what stands
there: a new static part is news, new counts are drift (see `schema.py`).

  static  i id  a author  s school  v visibility  t type  c createdAt in ms  k pinned (1 or absent)
          q quality  g folded tags
  counts  l likes  m comments  h shares  w views  x hot score (text, absent when nobody engaged)
          e marks of likers  f marks of commenters, newest first
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from consumers.feeds.ranking import Candidate, hot_score, mark, quality, weighted_engagement
from schemas.envelope import Event

#: Visibilities that we know; anything else is kept from everybody but the author.
_KNOWN: Final = frozenset({"PUBLIC", "SCHOOL", "CLASS"})
#: Whatever a row claims, its chronological score stays below PIN_SCORE.
_LATEST_MS: Final = 9 * 10**13


@dataclass(frozen=True, slots=True)
class PostState:
    """A post as Redis keeps it."""

    id: str
    static: str
    counts: str


@dataclass(slots=True)
class Touched:
    """What a batch of events may have changed."""

    posts: dict[str, None] = field(default_factory=dict)
    authors: dict[str, None] = field(default_factory=dict)
    viewers: dict[str, None] = field(default_factory=dict)
    actors: dict[str, None] = field(default_factory=dict)


def touched(events: Iterable[Event], *, refill: bool) -> Touched:
    """The keys to read again, and the viewers whose profile or interests have changed.

    A refill names every post itself, and there is no page yet that could be out of date.
    """
    found = Touched()
    for event in events:
        if event.topic == "post":
            found.posts[event.key] = None
        elif not refill:
            _touch(event, found)
    return found


def _touch(event: Event, found: Touched) -> None:
    if event.topic == "engagement":
        found.posts[event.key] = None
        _add(found.actors, event.data.get("userId"))
    elif event.topic == "user":
        found.authors[event.key] = None
        found.viewers[event.key] = None
    elif event.topic == "follow":
        found.viewers[event.key] = None
    elif event.topic == "block":
        found.viewers[event.key] = None
        _add(found.viewers, event.data.get("blockedId"))
    else:  # club_member.changed, enrollment.changed
        _add(found.actors, event.data.get("userId"))


def _add(users: dict[str, None], user: object) -> None:
    if isinstance(user, str) and user:
        users[user] = None


def fold_tag(tag: str) -> str:
    """The form in which tags are compared: `#StudyTips ` is `studytips`."""
    return unicodedata.normalize("NFC", tag).strip().lstrip("#").casefold()


def fold_tags(tags: Iterable[str | None] | None) -> list[str]:
    """Folded tags without repeats, in order."""
    return list(dict.fromkeys(folded for tag in tags or () if tag and (folded := fold_tag(tag))))


def candidate_of(row: dict[str, Any]) -> Candidate:
    """The ranker's view of a row."""
    visibility = row["visibility"]
    return Candidate(
        id=row["id"],
        author=row["author"],
        school=row["school"],
        visibility=visibility if visibility in _KNOWN else "PRIVATE",
        type=row["type"],
        created_ms=min(max(row["created_ms"], 0), _LATEST_MS),
        pinned=row["pinned"],
        quality=round(_quality_of(row), 4),
        tags=tuple(fold_tags(row["tags"])),
        likes=row["likes"],
        comments=row["comments"],
        shares=max(row["shares"], 0),
        views=max(row["views"], 0),
        likers=tuple(mark(user) for user in row["likers"]),
        commenters=tuple(mark(user) for user in row["commenters"]),
    )


def _quality_of(row: dict[str, Any]) -> float:
    return quality(
        row["type"],
        media=row["media"],
        length=row["length"],
        titled=row["titled"],
        verified=row["verified"],
        bounty=row["bounty"],
        rating=row["rating"],
        ratings=row["ratings"],
    )


def encode(post: Candidate) -> PostState:
    """What Redis keeps of a post; equal candidates give equal text."""
    static: dict[str, Any] = {"i": post.id, "a": post.author, "v": post.visibility, "t": post.type}
    static |= {"c": post.created_ms, "q": post.quality}
    if post.school is not None:
        static["s"] = post.school
    if post.pinned:
        static["k"] = 1
    if post.tags:
        static["g"] = post.tags
    return PostState(post.id, orjson.dumps(static).decode(), orjson.dumps(_counts(post)).decode())


def _counts(post: Candidate) -> dict[str, Any]:
    engagement = weighted_engagement(post.likes, post.comments, post.shares, post.views)
    hot = hot_score(engagement, post.created_ms)
    counts = {"l": post.likes, "m": post.comments, "h": post.shares, "w": post.views}
    lists = {"x": None if hot is None else f"{hot:.6f}", "e": post.likers, "f": post.commenters}
    return {name: value for name, value in (counts | lists).items() if value}


def decode(values: Sequence[bytes]) -> list[Candidate]:
    """The candidates behind what Redis returned."""
    pairs = orjson.loads(b"[[" + b"],[".join(values).replace(b"\n", b",") + b"]]") if values else []
    return [_decoded(static, counts) for static, counts in pairs]


def _decoded(static: dict[str, Any], counts: dict[str, Any]) -> Candidate:
    return Candidate(
        static["i"],
        static["a"],
        static.get("s"),
        static["v"],
        static["t"],
        static["c"],
        "k" in static,
        static["q"],
        tuple(static.get("g", ())),
        counts.get("l", 0),
        counts.get("m", 0),
        counts.get("h", 0),
        counts.get("w", 0),
        tuple(counts.get("e", ())),
        tuple(counts.get("f", ())),
    )
