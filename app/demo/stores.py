"""Looking behind the API: when a post reached the stream and the vectors, and whom the scenario is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import redis.asyncio
from psycopg.rows import class_row

from runtime.auth import issue
from runtime.errors import ConfigurationError
from runtime.postgres import Connection
from schemas import wire

_PEOPLE: Final = """
SELECT id, role::text, "schoolId" AS school_id, "schoolAccessVersion" AS version FROM users
 WHERE "isActive" AND "accountSuspendedAt" IS NULL AND "schoolId" IS NOT NULL AND role IN ('TEACHER', 'STUDENT')
 ORDER BY role DESC, id
"""
_COMMITTED: Final = """
SELECT extract(epoch FROM occurred_at)::float8 FROM outbox.events
 WHERE topic = 'post' AND key = %s ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A user with what a token needs."""

    id: str
    role: str
    school_id: str
    version: int

    def token(self, secret: str) -> str:
        """An access token for an hour."""
        return issue(
            secret, user=self.id, role=self.role, school_id=self.school_id, version=self.version, ttl=3600
        )


@dataclass(frozen=True, slots=True)
class Cast:
    """An author, a follower at the same school, a stranger at another."""

    author: Member
    follower: Member
    stranger: Member


async def choose_cast(conn: Connection) -> Cast:
    """Three people of the seeded network.

    Raises:
        ConfigurationError: the network is too small.
    """
    async with conn.cursor(row_factory=class_row(Member)) as cursor:
        people = await (await cursor.execute(_PEOPLE)).fetchall()
    author = next((person for person in people if person.role == "TEACHER"), None)
    school = author.school_id if author else None
    follower = next((p for p in people if p.role == "STUDENT" and p.school_id == school), None)
    stranger = next((p for p in people if p.school_id != school), None)
    if author is None or follower is None or stranger is None:
        raise ConfigurationError("the network has too few people for the demo: run `stunity seed --users 60`")
    return Cast(author, follower, stranger)


async def committed_at(conn: Connection, post_id: str) -> float:
    """Unix time (s) at which the newest event of a post was written, a little before its commit."""
    [(seconds,)] = await (await conn.execute(_COMMITTED, (post_id,))).fetchall()
    return float(seconds)


async def in_stream(client: redis.asyncio.Redis, streams: list[str], post_id: str) -> bool:
    """Whether one of the newest entries of the post streams is about this post."""
    for stream in streams:
        entries: Any = await client.xrevrange(stream, count=50)
        if any(b"m" in fields and wire.head(fields).key == post_id.encode() for _, fields in entries):
            return True
    return False


async def embedded(conn: Connection, post_id: str) -> bool:
    """Whether the post has a vector."""
    row = await (
        await conn.execute("SELECT 1 FROM embeddings.posts WHERE post_id = %s", (post_id,))
    ).fetchone()
    return row is not None


async def waiting_texts(conn: Connection) -> int:
    """Texts that wait for the embedding model."""
    [(count,)] = await (await conn.execute("SELECT count(*) FROM embeddings.pending")).fetchall()
    return int(count)
