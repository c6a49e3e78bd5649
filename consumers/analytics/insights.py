"""What an author is told of all their posts, and what trends; built alike from roll-ups and from the truth. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from consumers.analytics.model import ENGAGEMENT_KINDS
from consumers.analytics.series import Window, fill, rate

TOP_POSTS: Final = 5


class AuthorsPost(NamedTuple):
    """One post of an author."""

    id: str
    title: str | None
    post_type: str


class Trend(NamedTuple):
    """A post with what happened to it in a window."""

    post_id: str
    views: int
    likes: int
    comments: int
    bookmarks: int
    score: int


@dataclass(slots=True)
class AuthorNumbers:
    """Rows of an author's posts in one window.

    views: (day, post, views); engagements: (day, post, kind, count); people: distinct viewers by day, and by post, and
    of everything.
    """

    views: list[tuple[datetime, str, int]] = field(default_factory=list)
    engagements: list[tuple[datetime, str, str, int]] = field(default_factory=list)
    people_by_day: Mapping[datetime, int] = field(default_factory=dict)
    people_by_post: Mapping[str, int] = field(default_factory=dict)
    people: int = 0


def author_answer(grid: Window, posts: Iterable[AuthorsPost], numbers: AuthorNumbers) -> dict[str, Any]:
    """The body of GET /analytics/insights."""
    posts = list(posts)
    views: Counter[str] = Counter()
    reactions: defaultdict[str, Counter[str]] = defaultdict(Counter)
    points: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    for day, post, count in numbers.views:
        views[post] += count
        points[day]["views"] += count
    for day, post, kind, count in numbers.engagements:
        reactions[post][f"{kind}s"] += count
        points[day][f"{kind}s"] += count
    for day, people in numbers.people_by_day.items():
        points[day]["uniqueViewers"] = people
    names = tuple(f"{kind}s" for kind in ENGAGEMENT_KINDS)
    totals = {name: sum(one[name] for one in reactions.values()) for name in names}
    best = sorted(posts, key=lambda post: (-views[post.id], -reactions[post.id].total(), post.id))
    return {
        "period": grid.period.value,
        "timeZone": grid.zone.key,
        "posts": len(posts),
        "postsByType": dict(sorted(Counter(post.post_type for post in posts).items())),
        "totalViews": views.total(),
        "uniqueViewers": numbers.people,
        **totals,
        "engagementRate": rate(sum(totals.values()), views.total()),
        "series": fill(grid, points, ("views", "uniqueViewers", *names)),
        "topPosts": [
            {
                "postId": post.id,
                "title": post.title,
                "postType": post.post_type,
                "views": views[post.id],
                "uniqueViewers": numbers.people_by_post.get(post.id, 0),
                **{name: reactions[post.id][name] for name in names},
                "engagementRate": rate(reactions[post.id].total(), views[post.id]),
            }
            for post in best[:TOP_POSTS]
            if views[post.id] or reactions[post.id]
        ],
    }


def trend_answer(trend: Trend, title: str | None, post_type: str, author_id: str) -> dict[str, Any]:
    """One line of GET /analytics/trending."""
    return {
        "postId": trend.post_id,
        "title": title,
        "postType": post_type,
        "authorId": author_id,
        "score": trend.score,
        "views": trend.views,
        "likes": trend.likes,
        "comments": trend.comments,
        "bookmarks": trend.bookmarks,
    }
