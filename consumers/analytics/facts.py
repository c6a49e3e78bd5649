"""Events to rows of the time-series tables. Pure: no connection, no clock.

A fact is identified by the id of its source row and its own time, both immutable, so that a repeated event is the
same row. What needs the truth (does the post still exist, which school is the actor in) is added in `store.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from schemas.envelope import Event

#: A time before or after these is a broken clock's: nothing of Stunity is older, and none of its facts is to come. The
#: nearest of them is taken, for that is what the row alone says, whenever and however the fact arrives.
EARLIEST: Final = datetime(2015, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2099, 12, 31, tzinfo=UTC)
MAX_DURATION_S: Final = 3600
MAX_WEIGHT: Final = 100
#: Where a view came from; anything else is `other`. The roll-ups have a column for each (sql/rollups_*.sql).
SOURCES: Final = ("feed", "post_detail", "search", "profile", "direct", "share", "other")
_SOURCES: Final = frozenset(SOURCES)


class View(NamedTuple):
    """Somebody looked at a post. `weight` is how many views the row stands for (mobile clients sample)."""

    time: datetime
    fact_id: str
    post_id: str
    viewer_id: str | None
    school_id: str | None
    source: str
    duration_s: int | None
    weight: int


class Engagement(NamedTuple):
    """A like, comment or bookmark of a post."""

    time: datetime
    fact_id: str
    post_id: str
    user_id: str
    school_id: str | None
    kind: str


class Activity(NamedTuple):
    """Something a member of a school did: post, like, comment, bookmark, quiz."""

    time: datetime
    fact_id: str
    school_id: str | None
    user_id: str
    post_id: str | None
    kind: str


@dataclass(slots=True)
class Changes:
    """What a run of events amounts to: each fact at most once, removals after insertions of the same fact."""

    views: dict[str, View] = field(default_factory=dict)
    engagements: dict[str, Engagement] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    removed_views: dict[str, datetime] = field(default_factory=dict)
    removed_engagements: dict[str, datetime] = field(default_factory=dict)
    removed_activities: dict[str, datetime] = field(default_factory=dict)
    deleted_posts: set[str] = field(default_factory=set)
    deleted_users: set[str] = field(default_factory=set)

    def post_ids(self) -> list[str]:
        """Posts that the facts speak of."""
        rows: list[View | Engagement | Activity] = [*self.views.values(), *self.engagements.values()]
        named = {row.post_id for row in rows if row.post_id}
        return sorted(named | {row.post_id for row in self.activities.values() if row.post_id})

    def user_ids(self) -> list[str]:
        """Actors of the facts."""
        ids = {row.viewer_id for row in self.views.values() if row.viewer_id}
        ids |= {row.user_id for row in self.engagements.values()}
        return sorted(ids | {row.user_id for row in self.activities.values()})


class UnusableFact(ValueError):
    """The event lacks what a fact needs; it goes to the dead letters with this text."""


def fold(events: Iterable[Event]) -> tuple[Changes, Sequence[tuple[Event, str]]]:
    """The net changes of events in stream order, and the events that cannot be facts with the reason."""
    changes, unusable = Changes(), []
    for event in events:
        try:
            _add(changes, event)
        except UnusableFact as error:
            unusable.append((event, str(error)))
    return changes, unusable


def _add(changes: Changes, event: Event) -> None:
    if event.type == "post.viewed.v1":  # nine of ten events are views: they go first, and past the matching
        view = _view(event)
        changes.removed_views.pop(view.fact_id, None)
        changes.views[view.fact_id] = view
        return
    match event.type.rpartition(".v")[0].split("."):
        case ["post", "created" | "updated"]:  # the same fact both times: its time is the post's own
            _add_activity(changes, event, "post", f"post:{event.key}", event.data.get("authorId"), event.key)
        case ["post", "deleted"]:
            _forget_post(changes, event.key)
        case [("like" | "comment" | "bookmark") as kind, "created" | "updated"]:
            _add_engagement(changes, event, kind)
        case [("like" | "comment" | "bookmark") as kind, "deleted"]:
            _remove_engagement(changes, event, kind)
        case ["view", "deleted"]:
            fact_id = _text(event, "id")
            changes.views.pop(fact_id, None)
            changes.removed_views[fact_id] = fact_time(event)
        case ["quiz", "attempt_deleted"]:
            fact_id = f"quiz:{_text(event, 'id')}"
            changes.activities.pop(fact_id, None)
            changes.removed_activities[fact_id] = fact_time(event)
        case ["quiz", "attempted"]:
            fact_id = f"quiz:{_text(event, 'id')}"
            _add_activity(changes, event, "quiz", fact_id, event.data.get("userId"), event.data.get("postId"))
        case ["user", "deleted"]:
            changes.deleted_users.add(event.key)


def _view(event: Event) -> View:
    data = event.data
    source, duration, weight = data.get("source"), data.get("duration"), data.get("weight")
    return View(
        fact_time(event),
        _text(event, "id"),
        event.key,
        data.get("userId"),
        data.get("schoolId"),
        source if isinstance(source, str) and source in _SOURCES else "other",
        None if duration is None else _clamped(duration, 0, MAX_DURATION_S),
        1 if weight == 1 else _clamped(weight, 1, MAX_WEIGHT) or 1,
    )


def _add_engagement(changes: Changes, event: Event, kind: str) -> None:
    fact_id, time, user = f"{kind}:{_text(event, 'id')}", fact_time(event), _text(event, "userId")
    school = event.data.get("schoolId")
    changes.removed_engagements.pop(fact_id, None)
    changes.removed_activities.pop(fact_id, None)
    changes.engagements[fact_id] = Engagement(time, fact_id, event.key, user, school, kind)
    changes.activities[fact_id] = Activity(time, fact_id, school, user, event.key, kind)


def _remove_engagement(changes: Changes, event: Event, kind: str) -> None:
    fact_id = f"{kind}:{_text(event, 'id')}"
    changes.engagements.pop(fact_id, None)
    changes.activities.pop(fact_id, None)
    changes.removed_engagements[fact_id] = changes.removed_activities[fact_id] = fact_time(event)


def _add_activity(
    changes: Changes, event: Event, kind: str, fact_id: str, user: object, post_id: str | None
) -> None:
    if not isinstance(user, str):
        raise UnusableFact("the actor's id is missing")
    changes.removed_activities.pop(fact_id, None)
    changes.activities[fact_id] = Activity(
        fact_time(event), fact_id, event.data.get("schoolId"), user, post_id, kind
    )


def _forget_post(changes: Changes, post_id: str) -> None:
    changes.deleted_posts.add(post_id)
    for rows in (changes.views, changes.engagements, changes.activities):
        for fact_id in [fact_id for fact_id, row in rows.items() if row.post_id == post_id]:
            del rows[fact_id]


def fact_time(event: Event) -> datetime:
    """The fact's own time, as its row has it, or the nearest that can be."""
    raw = event.data.get("at") or event.data.get("createdAt")
    if raw is None:
        return event.occurred_at
    try:
        time = datetime.fromisoformat(str(raw))
    except ValueError as error:
        raise UnusableFact(f"not a time: {raw!r}") from error
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return min(max(time, EARLIEST), LATEST)


def _text(event: Event, name: str) -> str:
    value: Any = event.data.get(name)
    if not isinstance(value, str) or not value:
        raise UnusableFact(f"{name} is missing")
    return value


def _clamped(value: object, low: int, high: int) -> int | None:
    if not isinstance(value, int | float):
        return None
    return max(low, min(high, int(value)))
