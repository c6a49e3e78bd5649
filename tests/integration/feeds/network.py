"""A small network of schools for tests of feeds: rows written as an app writes them, events as the triggers made them.

`sync` hands the projection what the outbox holds since the last call, as the runner would; the relay and the runner
have their own tests.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from consumers.engine.projection import Batch
from consumers.feeds.projection import FeedsProjection
from runtime.auth import issue
from schemas.envelope import Event
from tests.support.engine import serve

_EVENTS = """
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers FROM outbox.events WHERE id > %s ORDER BY id
"""
_USER = """
INSERT INTO users (id, "schoolId", role, password, "firstName", "lastName", interests, "isVerified", "updatedAt")
VALUES (%(id)s, %(school)s, %(role)s::"UserRole", 'x', %(id)s, 'Test', %(interests)s, %(verified)s, now())
"""
_POST = """
INSERT INTO posts (id, "authorId", "schoolId", content, title, visibility, "postType", "topicTags", "isPinned",
                   "createdAt", "updatedAt")
VALUES (%(id)s, %(author)s, (SELECT "schoolId" FROM users WHERE id = %(author)s), %(content)s, %(title)s,
        %(visibility)s::"PostVisibility", %(type)s::"PostType", %(tags)s, %(pinned)s, %(at)s, now())
"""


class Network:
    """Writes rows, applies their events, asks the API."""

    def __init__(self, database: str, projection: FeedsProjection, secret: str) -> None:
        self.database = database
        self.projection = projection
        self.conn: psycopg.Connection[Any] = psycopg.connect(database, autocommit=True)
        self._secret = secret
        self._seen = 0
        self.posts: list[str] = []
        self._clock = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=12)
        serve(database, "feeds")

    def school(self, *ids: str) -> None:
        for one in ids:
            self.conn.execute(
                'INSERT INTO schools (id, name, slug, email, "updatedAt") VALUES (%s, %s, %s, %s, now())',
                (one, one, one, f"{one}@example.org"),
            )

    def user(self, *ids: str, school: str | None = "s1", role: str = "STUDENT", **columns: Any) -> None:
        defaults = {"school": school, "role": role, "interests": None, "verified": False}
        for one in ids:
            self.conn.execute(_USER, {**defaults, **columns, "id": one})

    def post(self, author: str, post: str | None = None, **columns: Any) -> str:
        """A post, a minute newer than the one before."""
        self._clock += timedelta(minutes=1)
        defaults = {"content": "text", "title": None, "visibility": "SCHOOL", "type": "ARTICLE", "tags": None}
        id_ = post or f"p{secrets.token_hex(5)}"
        row = {**defaults, "pinned": False, "at": self._clock, **columns, "id": id_, "author": author}
        self.conn.execute(_POST, row)
        self.posts.append(id_)
        return id_

    def follow(self, follower: str, *others: str) -> None:
        for other in others:
            self.conn.execute(
                'INSERT INTO follows (id, "followerId", "followingId") VALUES (%s, %s, %s)',
                (secrets.token_hex(8), follower, other),
            )

    def like(self, post: str, *users: str) -> None:
        for user in users:
            self.conn.execute(
                'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)',
                (secrets.token_hex(8), post, user),
            )
        self.conn.execute(
            'UPDATE posts SET "likesCount" = "likesCount" + %s WHERE id = %s', (len(users), post)
        )

    def comment(self, post: str, user: str) -> None:
        self.conn.execute(
            'INSERT INTO comments (id, "postId", "authorId", content, "updatedAt") VALUES (%s, %s, %s, %s, now())',
            (secrets.token_hex(8), post, user, "a comment"),
        )
        self.conn.execute('UPDATE posts SET "commentsCount" = "commentsCount" + 1 WHERE id = %s', (post,))

    def block(self, blocker: str, blocked: str) -> None:
        self.conn.execute(
            'INSERT INTO user_blocks (id, "blockerId", "blockedId") VALUES (%s, %s, %s)',
            (secrets.token_hex(8), blocker, blocked),
        )

    def classroom(self, class_id: str, students: Sequence[str], school: str = "s1") -> None:
        """A class whose members are these users."""
        self.conn.execute(
            'INSERT INTO classes (id, "schoolId", name, grade, "academicYearId", "updatedAt")'
            " VALUES (%s, %s, 'A', '10', 'y', now())",
            (class_id, school),
        )
        for user in students:
            self.conn.execute(
                'INSERT INTO students (id, "schoolId", "classId", "firstName", "lastName", "updatedAt")'
                " VALUES (%s, %s, %s, 'a', 'b', now())",
                (f"student-{user}", school, class_id),
            )
            self.conn.execute('UPDATE users SET "studentId" = %s WHERE id = %s', (f"student-{user}", user))

    def new_events(self) -> list[Event]:
        """What the triggers have written since the last call."""
        events = [Event(*row) for row in self.conn.execute(_EVENTS, (self._seen,)).fetchall()]
        self._seen = events[-1].id if events else self._seen
        return events

    async def sync(self, *, generation: int = 1) -> list[str]:
        """Apply what is new; returns the types of the events."""
        events = self.new_events()
        await self.apply(events, generation=generation)
        return [event.type for event in events]

    async def apply(self, events: Iterable[Event], *, generation: int = 1, refill: bool = False) -> None:
        rejected = await self.projection.apply(Batch(list(events), "checkpoint", generation, refill))
        assert not rejected

    def headers(self, user: str) -> dict[str, str]:
        """The request headers of a signed-in user."""
        token = issue(self._secret, user=user, role="STUDENT", school_id=None)
        return {"Authorization": f"Bearer {token}"}
