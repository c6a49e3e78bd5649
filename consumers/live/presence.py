"""Who is online: a heartbeat counts for half a minute, for people who allow it, within their school.

Heartbeats go to Redis, one sorted set per school; to PostgreSQL while there is no Redis. A count takes both, so that
nobody is lost when Redis comes or goes, and only people whom PostgreSQL confirms: still in the school, active, and
not hiding. All times are PostgreSQL's, so that the clocks of several API machines do not matter.
"""

from __future__ import annotations

from typing import Final

import structlog

from consumers.live.schema import ONLINE_SECONDS, online_key
from runtime.access import Viewer
from runtime.breaker import Breakers
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool
from runtime.redis import Client

TIMEOUT_SECONDS: Final = 0.3

_SHOWS: Final = """coalesce(u."privacySettings" #>> '{mobileApp,showOnlineStatus}', 'true') <> 'false'"""
_VIEWER_SQL: Final = f"""
SELECT {_SHOWS}, extract(epoch FROM clock_timestamp())::float8 FROM users u WHERE u.id = %s
"""  # noqa: S608 - a constant of ours
_SEEN_SQL: Final = """
INSERT INTO live.presence AS p (user_id, seen_at) VALUES (%s, clock_timestamp())
ON CONFLICT (user_id) DO UPDATE SET seen_at = excluded.seen_at
"""
_FORGET_SQL: Final = "DELETE FROM live.presence WHERE user_id = %s"
_NOW_SQL: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_COUNT_SQL: Final = f"""
SELECT count(*) FROM users u
 WHERE u."schoolId" = %(school)s AND u."isActive" AND u."accountSuspendedAt" IS NULL AND {_SHOWS}
   AND u.id IN (SELECT unnest(%(online)s::text[])
                UNION SELECT user_id FROM live.presence
                       WHERE seen_at >= clock_timestamp() - make_interval(secs => %(seconds)s))
"""  # noqa: S608 - a constant of ours

log = structlog.get_logger(__name__)


class Presence:
    """Presence of one process's requests."""

    def __init__(
        self, pool: Pool, client: Client | None, prefix: str, breakers: Breakers | None = None
    ) -> None:
        self._pool = pool
        self._client = client
        self._prefix = prefix
        self._breakers = breakers or Breakers()

    async def heartbeat(self, viewer: Viewer) -> None:
        """The viewer is here, if they let it be known.

        Raises:
            Retryable: PostgreSQL is away.
        """
        try:
            async with self._pool.connection() as conn:
                row = await (await conn.execute(_VIEWER_SQL, (viewer.id,))).fetchone()
                shows, now = row or (False, 0.0)
                if not await self._told_redis(viewer, shows, now):
                    await self._tell_postgres(conn, viewer.id, shows)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error

    async def count(self, school: str) -> tuple[int, str]:
        """How many people of a school are online, and which store knew.

        Raises:
            Retryable: PostgreSQL is away.
        """
        try:
            async with self._pool.connection() as conn:
                online = await self._in_redis(conn, school)
                params = {"school": school, "online": online or [], "seconds": ONLINE_SECONDS}
                row = await (await conn.execute(_COUNT_SQL, params)).fetchone()
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        assert row is not None  # count always gives one row
        return row[0], "postgres" if online is None else "redis"

    async def _told_redis(self, viewer: Viewer, shows: bool, now: float) -> bool:
        """Whether Redis has it; who has no school is counted nowhere."""
        client, school = self._client, viewer.school_id
        if client is None or school is None:
            return client is not None

        async def tell() -> None:
            key = online_key(self._prefix, school)
            async with client.pipeline(transaction=True) as pipe:
                if shows:
                    pipe.zadd(key, {viewer.id: now})
                else:
                    pipe.zrem(key, viewer.id)
                pipe.zremrangebyscore(key, "-inf", now - ONLINE_SECONDS)
                pipe.expire(key, 2 * ONLINE_SECONDS)
                await pipe.execute()

        try:
            await self._breakers.call("redis-live", tell, TIMEOUT_SECONDS)
        except Retryable as error:
            log.warning("presence_kept_in_postgres", error=str(error))
            return False
        return True

    async def _tell_postgres(self, conn: Connection, user: str, shows: bool) -> None:
        await conn.execute("SET LOCAL synchronous_commit = off")
        await conn.execute(_SEEN_SQL if shows else _FORGET_SQL, (user,))

    async def _in_redis(self, conn: Connection, school: str) -> list[str] | None:
        """Who has sent a heartbeat to Redis; None when it is away."""
        client = self._client
        if client is None:
            return None
        row = await (await conn.execute(_NOW_SQL)).fetchone()
        assert row is not None  # a SELECT without FROM always gives one row
        since = row[0] - ONLINE_SECONDS

        async def ask() -> list[str]:
            found = await client.zrangebyscore(online_key(self._prefix, school), since, "+inf")
            return [member.decode() if isinstance(member, bytes) else str(member) for member in found]

        try:
            return await self._breakers.call("redis-live", ask, TIMEOUT_SECONDS)
        except Retryable as error:
            log.warning("presence_counted_in_postgres", error=str(error))
            return None
