"""Which topic an event type belongs to. The topic names the stream; the key, within it, the order.

The same list stands in SQL as `outbox.topics()`; a test compares the two.
"""

from __future__ import annotations

from schemas.errors import UnknownEvent

#: First part of a type → topic. `post.viewed` is the one exception, below.
TOPIC_OF_AGGREGATE = {
    "post": "post",
    "view": "view",
    "user": "user",
    "follow": "follow",
    "block": "block",
    "like": "engagement",
    "comment": "engagement",
    "bookmark": "engagement",
    "club": "club",
    "club_member": "club",
    "course": "course",
    "enrollment": "course",
    "quiz": "quiz",
    "live_quiz": "quiz",
    "session": "session",
}

TOPICS = tuple(dict.fromkeys(TOPIC_OF_AGGREGATE.values()))

#: What an event's key is the id of.
KEY_OF_TOPIC = {
    "post": "post",
    "view": "post",
    "user": "user",
    "follow": "follower",
    "block": "blocker",
    "engagement": "post",
    "club": "club",
    "course": "course",
    "quiz": "quiz",
    "session": "user",
}

#: Events of these are facts: each counts, and a later one may undo it. Of the others only the newest of a key matters.
FACT_TOPICS = frozenset({"engagement", "view", "quiz"})


def topic_of(event_type: str) -> str:
    """The topic of `post.created.v1` or `post.created`.

    Raises:
        UnknownEvent: the aggregate is not one of ours.
    """
    if event_type.startswith("post.viewed"):
        return "view"
    try:
        return TOPIC_OF_AGGREGATE[event_type.partition(".")[0]]
    except KeyError:
        raise UnknownEvent(f"no topic for event type {event_type!r}") from None
