"""What facts need to know of the truth: whether their post still is, whether their people still are, and whose school.

A fact never changes, but what it speaks of may be gone by the time it arrives (late, or made again from an old log);
then it is no fact any more. Asked at most once per batch, and for who is not known yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Final

from consumers.analytics.facts import Changes, View
from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch
from runtime.arrays import texts
from runtime.postgres import Pool, fetch_rows

#: For so long (s) the truth need not say again what it has said.
REMEMBERED: Final = 60.0
_MOST: Final = 300_000


@dataclass(frozen=True, slots=True)
class Truth:
    """What the facts of one batch need to know."""

    posts: frozenset[str]
    schools: Mapping[str, str | None]

    def complete(self, changes: Changes, since: datetime | None) -> Changes:
        """Drop facts of posts that are gone and those from before `since`, blank people who are gone, add schools."""
        posts, schools = self.posts, self.schools
        return replace(
            changes,
            views={
                key: self._view(view)
                for key, view in changes.views.items()
                if view[2] in posts and (since is None or view[0] >= since)
            },
            engagements={
                key: row._replace(school_id=row.school_id or schools.get(row.user_id))
                for key, row in changes.engagements.items()
                if row.post_id in posts and row.user_id in schools and (since is None or row.time >= since)
            },
            activities={
                key: row._replace(school_id=row.school_id or schools.get(row.user_id))
                for key, row in changes.activities.items()
                if (row.post_id is None or row.post_id in posts)
                and row.user_id in schools
                and (since is None or row.time >= since)
            },
            removed_views={
                key: time for key, time in changes.removed_views.items() if since is None or time >= since
            },
        )

    def _view(self, view: View) -> View:
        time, fact, post, viewer, school, source, duration, weight = view
        if viewer is not None and viewer in self.schools:
            return View._make(
                (time, fact, post, viewer, school or self.schools[viewer], source, duration, weight)
            )
        return View._make((time, fact, post, None, school, source, duration, weight))


class TruthReader:
    """Asks the truth, and remembers for a little while who and what is there.

    That is safe because the end of a post or a person comes down the stream too: with it goes everything of theirs that
    was taken in meanwhile, and what is remembered. A person who changes is asked for again.
    """

    def __init__(self, pool: Pool, statement: str) -> None:
        self._pool = pool
        self._statement = statement
        self._posts: set[str] = set()
        self._schools: dict[str, str | None] = {}
        self._since = 0.0

    def forget(self) -> None:
        """Remember nothing."""
        self._posts.clear()
        self._schools.clear()

    async def read(self, changes: Changes, batch: Batch) -> Truth:
        """Look up the posts and people that the facts name."""
        self._forget_stale(changes, batch)
        posts, users = changes.post_ids(), changes.user_ids()
        unknown_posts = [post for post in posts if post not in self._posts]
        unknown_users = [user for user in users if user not in self._schools]
        if unknown_posts or unknown_users:
            async with self._pool.connection() as conn:
                await wait_until_visible(conn, batch.events)  # or a post just written would count as deleted
                params = {"posts": texts(unknown_posts), "users": texts(unknown_users)}
                [(alive, schools)] = await fetch_rows(conn, self._statement, params)
            self._posts.update(alive)
            self._schools.update(schools or {})
        known = self._schools
        return Truth(
            frozenset(self._posts.intersection(posts)), {user: known[user] for user in users if user in known}
        )

    def _forget_stale(self, changes: Changes, batch: Batch) -> None:
        if monotonic() - self._since > REMEMBERED or len(self._posts) + len(self._schools) > _MOST:
            self.forget()
            self._since = monotonic()
        self._posts -= changes.deleted_posts
        for event in batch.events:
            if event.topic == "user":
                self._schools.pop(event.key, None)
