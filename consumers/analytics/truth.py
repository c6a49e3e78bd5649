"""What facts need to know of the truth: whether their post still is, whether their people still are, and whose school.

A fact never changes, but what it speaks of may be gone by the time it arrives (late, or made again from an old log);
then it is no fact any more. Asked once per batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from consumers.analytics.arrays import texts
from consumers.analytics.facts import Changes, View
from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch
from runtime.postgres import Pool, fetch_rows


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


async def read_truth(pool: Pool, statement: str, changes: Changes, batch: Batch) -> Truth:
    """Look up the posts and people that the facts name."""
    posts, users = changes.post_ids(), changes.user_ids()
    if not posts and not users:
        return Truth(frozenset(), {})
    async with pool.connection() as conn:
        await wait_until_visible(conn, batch.events)  # or a post just written would count as deleted
        params = {"posts": texts(posts), "users": texts(users)}
        [(alive, schools)] = await fetch_rows(conn, statement, params)
    return Truth(frozenset(alive), schools or {})
