"""Which topic an event type belongs to. The topic names the stream; the key, within it, the order.

The same list stands in SQL as `outbox.topics()`; a test compares the two.
"""

from __future__ import annotations

from schemas.errors import UnknownEvent

#: First part of a type → topic. The key of each topic is in the comment.
TOPIC_OF_AGGREGATE = {
    "post": "post",  # post id; post.viewed is the one exception, below
    "view": "view",  # post id
    "user": "user",  # user id
    "follow": "follow",  # follower's id
    "block": "block",  # blocker's id
    "like": "engagement",  # post id
    "comment": "engagement",
    "bookmark": "engagement",
    "club": "club",  # club id
    "club_member": "club",
    "course": "course",  # course id
    "enrollment": "course",
    "quiz": "quiz",  # quiz id
    "live_quiz": "quiz",
    "session": "session",  # user id
}

TOPICS = tuple(dict.fromkeys(TOPIC_OF_AGGREGATE.values()))

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
