"""Which events concern a viewer, and may be told to them.

| event | told to |
|---|---|
| post.created, post.updated | who may see the post now: its author, followers, and members of its school |
| post.deleted | its author, and whoever has been told of the post in this session |
| like.created, comment.created | the post's author, unless it was they themselves or somebody blocked |
| follow.created | the person followed, unless somebody blocked |

An event tells that something happened and to what; names, texts and counts are read through the API, as ever. Which
posts are visible is asked of PostgreSQL, once per batch, by the one rule of `runtime/access.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consumers.engine.cards import timestamp
from runtime.access import POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_rows
from schemas.envelope import Event

_STATE: Final = frozenset({"post.created", "post.updated"})
_DELETED: Final = "post.deleted"
_ENGAGEMENT: Final = frozenset({"like.created", "comment.created"})
_FOLLOW: Final = "follow.created"
_TOLD: Final = _STATE | _ENGAGEMENT | {_DELETED, _FOLLOW}

_POSTS_SQL: Final = (
    (Path(__file__).parents[1] / "sql" / "happenings.sql")
    .read_text(encoding="utf-8")
    .replace("{POST_VISIBLE}", POST_VISIBLE)
)


@dataclass(frozen=True, slots=True)
class Posts:
    """Of a batch's posts, the ids of those that the viewer may see and that are theirs, or concern them."""

    own: frozenset[str]
    near: frozenset[str]


def may_be_told(event: Event) -> bool:
    """Whether this kind of event is told to anybody: counters, say, change all the time, and are not."""
    return _name(event) in _TOLD


async def look_up(conn: Connection, scope: Scope, events: Iterable[Event]) -> Posts:
    """One query, none when no post is among the events."""
    ids = {event.key for event in events if _name(event) in _STATE | _ENGAGEMENT}
    if not ids:
        return Posts(frozenset(), frozenset())
    rows = await fetch_rows(conn, _POSTS_SQL, {**scope.params(), "ids": list(ids)})
    return Posts(
        frozenset(key for key, own, _ in rows if own), frozenset(key for key, _, near in rows if near)
    )


def concerns(event: Event, scope: Scope, posts: Posts, told: Container[str]) -> bool:
    """Whether to tell the viewer. `told` = posts that they have heard of in this session."""
    name, data, me = _name(event), event.data, scope.viewer.id
    if name in _STATE:
        return event.key in posts.near
    if name == _DELETED:
        return data.get("authorId") == me or event.key in told
    if name in _ENGAGEMENT:
        return event.key in posts.own and _from_another(data.get("userId"), scope)
    if name == _FOLLOW:
        return data.get("followingId") == me and _from_another(data.get("followerId"), scope)
    return False


def message(event: Event) -> dict[str, Any]:
    """What is told: the envelope's names (CloudEvents 1.0), and of the data only who and what, never content."""
    who = event.data.get("userId") or event.data.get("followerId")
    data = {"postId": event.key} if event.topic != "follow" else {}
    return {
        "id": str(event.id),
        "type": event.type,
        "subject": event.key,
        "time": timestamp(event.occurred_at),
        "data": {**data, **({"userId": who} if who else {})},
    }


def _name(event: Event) -> str:
    return event.type.rpartition(".v")[0]


def _from_another(actor: str | None, scope: Scope) -> bool:
    return actor is not None and actor != scope.viewer.id and actor not in scope.blocked
