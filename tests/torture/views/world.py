"""What people do in a school network, by the dice. Every method commits one transaction, or a few."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg

from tests.support.network import Network

_VISIBILITIES = ("PUBLIC", "SCHOOL", "CLASS", "PRIVATE")
_WORDS = (
    "integrals",
    "ការបង្រៀន",
    "chess club",
    "#ComputerScience",
    "**bold**",
    "[a](https://example.org)",
    "https://example.org/a",
    "exam",
)


class World:
    """Writes rows the way upstream does."""

    def __init__(self, conn: psycopg.Connection[Any], dice: random.Random) -> None:
        self.conn = conn
        self._dice = dice
        self._net = Network(conn)
        self._numbers = count()
        self._acts: list[Callable[[], None]] = [
            *[self._post] * 4, *[self._edit] * 3, *[self._like] * 4, *[self._view] * 4, *[self._comment] * 2,
            self._unlike, self._hide, self._delete_post, self._person, self._rename, self._suspend, self._leave,
            self._follow, self._block, self._club, self._join, self._course, self._publish, self._bookmark,
        ]  # fmt: skip
        for school in ("north", "south"):
            self._net.school(school)
        for _ in range(4):
            self._person()

    def act(self, times: int) -> None:
        """So many things happen; now and then several in one transaction, some of which are rolled back."""
        for _ in range(times):
            if self._dice.random() < 0.2:
                with suppress(_ChangedTheirMind), self.conn.transaction():
                    for _ in range(self._dice.randint(2, 5)):
                        self._dice.choice(self._acts)()
                    if self._dice.random() < 0.3:
                        raise _ChangedTheirMind
            else:
                self._dice.choice(self._acts)()

    def _one(self, table: str) -> str | None:
        rows = self.conn.execute(f"SELECT id FROM {table} ORDER BY id").fetchall()
        return self._dice.choice(rows)[0] if rows else None

    def _id(self, kind: str) -> str:
        return f"{kind}{next(self._numbers)}"

    def _text(self) -> str:
        return " ".join(self._dice.choices(_WORDS, k=self._dice.randint(1, 6)))

    def _at(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=self._dice.randint(0, 4000))

    def _do(self, statement: Any, *values: object) -> None:
        self.conn.execute(statement, values)

    def _post(self) -> None:
        if author := self._one("users"):
            self._net.post(
                author,
                self._text(),
                self._dice.choice(("north", "south", None)),
                id=self._id("p"),
                createdAt=self._at(),
                visibility=self._dice.choice(_VISIBILITIES),
                title=self._dice.choice((None, self._text())),
                topicTags=self._dice.choice((None, ["Maths", "chess"])),
                isPinned=self._dice.random() < 0.1,
            )

    def _edit(self) -> None:
        if post := self._one("posts"):
            self._net.change("posts", post, content=self._text())

    def _hide(self) -> None:
        if post := self._one("posts"):
            self._net.change("posts", post, visibility=self._dice.choice(_VISIBILITIES))

    def _delete_post(self) -> None:
        if post := self._one("posts"):
            self._net.delete("posts", post)

    def _person(self) -> None:
        school = self._dice.choice(("north", "south", None))
        visibility = self._dice.choice(_VISIBILITIES)
        self._net.user(
            self._id("u"), school, headline=self._text(), profileVisibility=visibility, interests=["Maths"]
        )

    def _rename(self) -> None:
        if user := self._one("users"):
            self._net.change("users", user, firstName=self._text(), headline=self._text())

    def _suspend(self) -> None:
        if user := self._one("users"):
            self._net.change("users", user, isActive=self._dice.random() < 0.5)

    def _leave(self) -> None:
        user = self._one("users")
        if user and self._dice.random() < 0.3:
            self._do('DELETE FROM courses WHERE "instructorId" = %s', user)
            self._net.delete("users", user)

    def _like(self) -> None:
        self._react('INSERT INTO likes (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)')

    def _bookmark(self) -> None:
        self._react('INSERT INTO bookmarks (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)')

    def _view(self) -> None:
        self._react(
            'INSERT INTO post_views (id, "postId", "userId", "viewedAt", duration) VALUES (%s, %s, %s, %s, 5)'
        )

    def _comment(self) -> None:
        self._react(
            'INSERT INTO comments (id, "postId", "authorId", "createdAt", content, "updatedAt") '
            "VALUES (%s, %s, %s, %s, 'nice', now())"
        )

    def _react(self, statement: str) -> None:
        post, user = self._one("posts"), self._one("users")
        if post and user:
            self._do(f"{statement} ON CONFLICT DO NOTHING", self._id("f"), post, user, self._at())

    def _unlike(self) -> None:
        if like := self._one("likes"):
            self._net.delete("likes", like)

    def _follow(self) -> None:
        statement = (
            'INSERT INTO follows (id, "followerId", "followingId") VALUES (%s, %s, %s) ON CONFLICT DO NOTHING'
        )
        if user := self._one("users"):
            self._do(statement, self._id("w"), user, self._one("users"))

    def _block(self) -> None:
        statement = 'INSERT INTO user_blocks (id, "blockerId", "blockedId") VALUES (%s, %s, %s) ON CONFLICT DO NOTHING'
        if user := self._one("users"):
            self._do(statement, self._id("b"), user, self._one("users"))

    def _club(self) -> None:
        if user := self._one("users"):
            mode = self._dice.choice(("PUBLIC", "INVITE_ONLY"))
            self._net.club(
                user, self._text(), self._dice.choice(("north", None)), id=self._id("c"), mode=mode
            )

    def _join(self) -> None:
        club, user = self._one("study_clubs"), self._one("users")
        statement = (
            'INSERT INTO club_members (id, "clubId", "userId") VALUES (%s, %s, %s) ON CONFLICT DO NOTHING'
        )
        if club and user:
            self._do(statement, self._id("m"), club, user)

    def _course(self) -> None:
        if user := self._one("users"):
            self._net.course(user, self._text(), id=self._id("k"), isPublished=self._dice.random() < 0.5)

    def _publish(self) -> None:
        if course := self._one("courses"):
            self._net.change("courses", course, isPublished=self._dice.random() < 0.5)


class _ChangedTheirMind(Exception):
    """The transaction is rolled back."""
