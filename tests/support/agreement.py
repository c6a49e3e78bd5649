"""Whether every view holds what the truth says, looked up in the stores themselves and not through our readers.

What is expected comes from plain SQL on upstream's tables; nothing of a consumer's mapping is used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import httpx
import psycopg
import redis

from schemas import wire

_ACTIVE_AUTHOR = """
SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId" WHERE a."isActive" AND a."accountSuspendedAt" IS NULL
"""
_VIEWS = """
SELECT (SELECT count(*) FROM post_views), (SELECT count(*) FROM likes), (SELECT count(*) FROM comments)
"""
_COUNTED = """
SELECT (SELECT coalesce(sum(view_count), 0)::bigint FROM analytics.post_views_hourly),
       (SELECT coalesce(sum(count), 0)::bigint FROM analytics.engagement_hourly WHERE kind = 'like'),
       (SELECT coalesce(sum(count), 0)::bigint FROM analytics.engagement_hourly WHERE kind = 'comment')
"""
_VECTORS = """
SELECT v.id FROM embeddings.vectors v JOIN embeddings.models m ON m.id = v.model_id WHERE m.serving AND kind = %s
"""


class Stores:
    """Direct lines to the stores of a running stack."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._env = environment
        self._published: Counter[int] = Counter()
        self._read: dict[bytes, tuple[bytes, int]] = {}

    def truth(self) -> psycopg.Connection:
        """A connection to PostgreSQL."""
        return psycopg.connect(self._env["DATABASE_URL"], autocommit=True)

    def differences(self) -> dict[str, str]:
        """What differs, by view; empty when everything agrees."""
        with self.truth() as conn:
            posts = {row[0] for row in conn.execute(_ACTIVE_AUTHOR)}
            compared = {
                "search": (self.indexed_posts(), posts),
                "embeddings": ({row[0] for row in conn.execute(_VECTORS, ("post",))}, _embeddable(conn)),
                "feeds": (self.pooled_posts(), posts),
                "analytics": (conn.execute(_COUNTED).fetchone(), conn.execute(_VIEWS).fetchone()),
            }
        return {name: _describe(held, wanted) for name, (held, wanted) in compared.items() if held != wanted}

    def indexed_posts(self) -> set[str]:
        """Keys of the post documents in Typesense."""
        env = self._env
        base = f"{env['TYPESENSE_PROTOCOL']}://{env['TYPESENSE_HOST']}:{env['TYPESENSE_PORT']}"
        headers = {"X-TYPESENSE-API-KEY": env["TYPESENSE_API_KEY"]}
        answer = httpx.get(f"{base}/collections/stunity_posts/documents/export", headers=headers, timeout=30)
        answer.raise_for_status()
        return {json.loads(line)["key"] for line in answer.text.splitlines()}

    def pooled_posts(self) -> set[str]:
        """Posts of the feed pools in Redis."""
        with redis.Redis.from_url(self._env["REDIS_URL"], decode_responses=True) as client:
            return {
                key.rpartition(":post:")[2]
                for key in client.scan_iter("stunity:{feeds}:*:post:*", count=5000)
            }

    def published(self) -> Counter[int]:
        """How often each outbox id came down the streams of the newest epoch, from the first call on.

        Each call reads on where the one before stopped: streams are trimmed behind their readers, within a minute.
        """
        with self.truth() as conn, redis.Redis.from_url(self._env["REDIS_URL"]) as client:
            epoch = conn.execute("SELECT outbox.current_epoch()").fetchone()
            assert epoch is not None
            for stream in client.scan_iter(f"stunity:{epoch[0]}:*:{{*}}", _type="stream", count=5000):
                for entry, fields in client.xrange(stream, b"(" + self._read.get(stream, (b"0-0", 0))[0]):
                    number = wire.number(fields)
                    before = self._read.get(stream, (b"", number - 1))[1]
                    assert number == before + 1, (
                        f"{stream!r} is not numbered densely: {number} after {before}"
                    )
                    self._read[stream] = entry, number
                    if b"m" in fields:
                        self._published[int(wire.head(fields).id)] += 1
        return self._published

    def logged(self) -> set[int]:
        """All ids of the log."""
        with self.truth() as conn:
            return {row[0] for row in conn.execute("SELECT id FROM outbox.events")}


def _embeddable(conn: psycopg.Connection) -> set[str]:
    return {row[0] for row in conn.execute("SELECT id FROM posts WHERE visibility <> 'PRIVATE'")}


def _describe(held: object, wanted: object) -> str:
    if isinstance(held, set) and isinstance(wanted, set):
        missing, extra = sorted(wanted - held), sorted(held - wanted)
        return f"{len(missing)} missing {missing[:5]}, {len(extra)} extra {extra[:5]}"
    return f"holds {held}, wanted {wanted}"
