"""Every part is killed with SIGKILL in the middle of 2,000 writes: nothing is lost, nothing is twice in a stream."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

import psycopg
import pytest

from tests.acceptance.conftest import Stack
from tests.support.agreement import Stores
from tests.support.wait import until

WRITES = 2000
PARTS = ["relay", "search", "embeddings", "feeds", "analytics", "worker", "valkey", "typesense", "postgres"]


@dataclass(eq=False)
class Writer(threading.Thread):
    """Posts, likes, comments, views, edits and deletes, each its own transaction, through kills of PostgreSQL."""

    url: str
    people: list[str]
    done: int = 0
    kills_due: threading.Condition = field(default_factory=threading.Condition)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        chance = random.Random(11)
        try:
            while self.done < WRITES:
                try:
                    with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as conn:
                        while self.done < WRITES:
                            self._write(conn, chance)
                            with self.kills_due:
                                self.done += 1
                                self.kills_due.notify_all()
                except psycopg.OperationalError:
                    threading.Event().wait(0.1)  # PostgreSQL is being restarted: as an app, try again
        except BaseException as error:
            self.failure = error
            with self.kills_due:
                self.done = WRITES
                self.kills_due.notify_all()

    def _write(self, conn: psycopg.Connection, chance: random.Random) -> None:
        number, author = self.done, chance.choice(self.people)
        old = f"kill-{chance.randrange(max(number // 10, 1))}"
        kind = number % 10
        if kind == 0:
            conn.execute(
                'INSERT INTO posts (id, "authorId", "schoolId", content, visibility, "updatedAt")'
                ' SELECT %s, id, "schoolId", %s, %s, now() FROM users WHERE id = %s ON CONFLICT (id) DO NOTHING',
                (
                    f"kill-{number // 10}",
                    f"Lesson {number} about rivers",
                    chance.choice(["PUBLIC", "SCHOOL"]),
                    author,
                ),
            )
        elif kind == 9 and number % 100 == 99:
            conn.execute("DELETE FROM posts WHERE id = %s", (old,))
        elif kind in {3, 6}:
            conn.execute("UPDATE posts SET content = %s WHERE id = %s", (f"Edited {number}: mountains", old))
        elif kind in {1, 2}:
            conn.execute(
                'INSERT INTO likes (id, "postId", "userId") SELECT %s, id, %s FROM posts WHERE id = %s'
                " ON CONFLICT DO NOTHING",
                (f"like-{number}", author, old),
            )
        elif kind in {4, 5}:
            conn.execute(
                'INSERT INTO comments (id, "postId", "authorId", content, "updatedAt")'
                " SELECT %s, id, %s, 'yes', now() FROM posts WHERE id = %s ON CONFLICT DO NOTHING",
                (f"comment-{number}", author, old),
            )
        else:
            conn.execute(
                'INSERT INTO post_views (id, "postId", "userId") SELECT %s, id, %s FROM posts WHERE id = %s'
                " ON CONFLICT DO NOTHING",
                (f"view-{number}", author, old),
            )

    def wait_for(self, writes: int) -> None:
        """Block until so many writes are done."""
        with self.kills_due:
            assert self.kills_due.wait_for(lambda: self.done >= writes, timeout=60), f"{self.done} writes"


@pytest.mark.timeout(300)
async def test_every_part_is_killed_in_the_middle_of_the_writes(stack: Stack) -> None:
    stores = Stores(stack.environment)
    with stores.truth() as conn:
        people = [
            row[0] for row in conn.execute('SELECT id FROM users WHERE "isActive" ORDER BY id LIMIT 20')
        ]
    before = stores.logged()
    stores.published()
    writer = Writer(stack.environment["DATABASE_URL"], people)
    writer.start()
    for number, part in enumerate(PARTS):
        writer.wait_for((number + 1) * WRITES // (len(PARTS) + 1))
        await until(stores.published, timeout=60, what="the streams can be read")
        stack.kill(part)
    writer.join(timeout=120)
    assert writer.failure is None, writer.failure
    assert writer.done == WRITES
    await until(lambda: all(part["state"] == "ready" for part in stack.status()["parts"]), timeout=60)
    await until(
        lambda: stores.published().keys() >= stores.logged() - before,
        timeout=60,
        what="every event is published",
    )
    assert set(stores.published().values()) == {1}, "an event is twice in its stream"

    def agree() -> bool:
        assert stores.differences() == {}
        return True

    await until(agree, timeout=60, what="every view equals the truth")
