"""A small history of a school network, in steps: things come, change and go, and people react to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg

from schemas.envelope import Event
from tests.support.network import Network

_EVENTS = """
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers FROM outbox.events
 WHERE id > %s AND topic = ANY (%s) ORDER BY id
"""
_THEN = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=5)


class History:
    """Writes the steps and hands out the events that they caused."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn
        self._network = Network(conn)
        self._seen = 0

    def steps(self) -> Iterator[Callable[[], None]]:
        """To be called one after the other."""
        yield from (self._people, self._posts, self._reactions, self._changes, self._departures)

    def new_events(self, topics: frozenset[str]) -> list[Event]:
        """Events since the last call."""
        rows = self._conn.execute(_EVENTS, (self._seen, sorted(topics))).fetchall()
        self._seen = rows[-1][0] if rows else self._seen
        return [Event(*row) for row in rows]

    def _people(self) -> None:
        net = self._network
        for school in ("north", "south"):
            net.school(school)
        net.user("dara", "north", role="TEACHER", headline="Mathematics", bio="គណិតវិទ្យា")
        for key in ("anna", "borey"):
            net.user(key, "north")
        net.user("sophea", "south")

    def _posts(self) -> None:
        net = self._network
        for number, (author, visibility) in enumerate(
            [
                ("dara", "PUBLIC"),
                ("dara", "SCHOOL"),
                ("anna", "PUBLIC"),
                ("sophea", "PUBLIC"),
                ("borey", "PRIVATE"),
            ]
        ):
            net.post(
                author,
                f"ការបង្រៀន calculus number {number}",
                "south" if author == "sophea" else "north",
                id=f"post{number}",
                visibility=visibility,
                createdAt=_THEN + timedelta(minutes=number),
            )
        net.club("dara", "Chess", "north", id="chess")
        net.course("dara", "Algebra", id="algebra")
        net.course("dara", "Draft", id="draft", isPublished=False)

    def _reactions(self) -> None:
        for number, user in enumerate(("anna", "borey", "sophea")):
            at = _THEN + timedelta(hours=1, minutes=number)
            self._do(
                'INSERT INTO likes (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)',
                f"l{number}",
                "post0",
                user,
                at,
            )
            self._do(
                'INSERT INTO post_views (id, "postId", "userId", duration, "viewedAt") VALUES (%s, %s, %s, 30, %s)',
                f"v{number}", f"post{number}", user, at,
            )  # fmt: skip
            self._do(
                """INSERT INTO comments (id, "postId", "authorId", content, "createdAt", "updatedAt")
                   VALUES (%s, %s, %s, 'nice', %s, now())""",
                f"c{number}", "post3", user, at,
            )  # fmt: skip
        self._do(
            'INSERT INTO follows (id, "followerId", "followingId") VALUES (%s, %s, %s)', "f1", "anna", "dara"
        )
        self._do('INSERT INTO bookmarks (id, "postId", "userId") VALUES (%s, %s, %s)', "b1", "post0", "anna")

    def _changes(self) -> None:
        net = self._network
        net.change("posts", "post0", content="integrals, and nothing else")
        net.change("posts", "post1", visibility="PRIVATE")
        net.change("users", "anna", firstName="Channary", headline="Physics")
        net.change("courses", "draft", isPublished=True)
        net.change("study_clubs", "chess", name="Chess and Go")
        net.delete("likes", "l0")
        net.delete("comments", "c2")
        net.delete("bookmarks", "b1")
        net.block("sophea", "borey")

    def _departures(self) -> None:
        net = self._network
        net.delete("posts", "post3")
        net.change("users", "sophea", isActive=False)
        net.delete("users", "borey")
        net.delete("courses", "algebra")
        net.post("dara", "the last one", "north", id="post9", createdAt=_THEN + timedelta(hours=2))

    def _do(self, statement: LiteralString, *values: object) -> None:
        self._conn.execute(statement, values)
