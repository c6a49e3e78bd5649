"""Tokens that were logged out, until they would have expired anyway. PostgreSQL decides, Redis answers.

A logout is a row and an event in one transaction, then a key in Redis. That a key is *missing* in Redis proves nothing
after Redis has been emptied or was away during a logout; so readers load what PostgreSQL holds now and then and
leave a mark in Redis that it is complete, which lives for `COMPLETE_SECONDS`. That is the longest for which a logout
that never reached Redis can be unknown to a process that does reach it.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import structlog
from psycopg.types.json import Jsonb

from consumers.live.schema import complete_key, revoked_key
from runtime.breaker import Breakers
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool
from runtime.redis import Client

COMPLETE_SECONDS: Final = 30
#: With more than this PostgreSQL is asked for each token that Redis does not know.
MOST_LOADED: Final = 5000
TIMEOUT_SECONDS: Final = 0.3

_REVOKE_SQL: Final = """
WITH expired AS (
    DELETE FROM live.revoked_tokens WHERE token_hash IN (
        SELECT token_hash FROM live.revoked_tokens WHERE expires_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED)
)
INSERT INTO live.revoked_tokens (token_hash, user_id, expires_at) VALUES (%s, %s, %s)
ON CONFLICT (token_hash) DO NOTHING RETURNING 1
"""
_EMIT_SQL: Final = "SELECT outbox.emit('session', 'session.revoked', %s, %s)"
_POSITION_SQL: Final = "SELECT outbox.position()"
_CONDITION: Final = (
    "EXISTS (SELECT FROM live.revoked_tokens WHERE token_hash = %(token)s AND expires_at > now())"
)
_ONE_SQL: Final = f"SELECT {_CONDITION}"
_ALL_SQL: Final = """
SELECT token_hash, ceil(extract(epoch FROM expires_at - now()))::int FROM live.revoked_tokens
 WHERE expires_at > now() LIMIT %(most)s
"""

log = structlog.get_logger(__name__)


class TokenRevocations:
    """What `runtime/auth.py` asks before it trusts a token."""

    def __init__(
        self, pool: Pool, client: Client | None, prefix: str, breakers: Breakers | None = None
    ) -> None:
        self._pool = pool
        self._client = client
        self._prefix = prefix
        self._breakers = breakers or Breakers()

    @property
    def condition(self) -> LiteralString:
        """Whether the token with the hash %(token)s has been logged out, for those who ask PostgreSQL anyway."""
        return _CONDITION

    async def revoke(self, token_hash: str, user: str, expires_at: datetime, jti: str | None) -> str:
        """End a sign-in; returns the position of the write. Doing it again changes nothing.

        Raises:
            Retryable: PostgreSQL is away.
        """
        try:
            async with self._pool.connection() as conn, conn.transaction():
                row = await (await conn.execute(_POSITION_SQL)).fetchone()
                new = await conn.execute(_REVOKE_SQL, (token_hash, user, expires_at))
                if new.rowcount:
                    await conn.execute(_EMIT_SQL, (user, Jsonb(_event(user, expires_at, jti))))
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        assert row is not None  # a SELECT without FROM always gives one row
        await self._tell_redis({token_hash: math.ceil((expires_at - datetime.now(UTC)).total_seconds())})
        return str(row[0])

    async def is_revoked(self, token_hash: str) -> bool:
        """Whether the token with this hash has been logged out.

        Raises:
            Retryable: PostgreSQL would have to be asked, and is away.
        """
        try:
            known = await self._ask_redis(token_hash) if self._client else None
        except Retryable:
            return await self._ask_postgres(token_hash)
        if known is not None:
            return known
        return await (self._load(token_hash) if self._client else self._ask_postgres(token_hash))

    async def _ask_redis(self, token_hash: str) -> bool | None:
        """Redis's answer; None when it does not hold everything.

        Raises:
            Retryable: it is away.
        """
        client = self._client
        assert client is not None  # the caller has looked

        async def ask() -> bool | None:
            keys = (revoked_key(self._prefix, token_hash), complete_key(self._prefix))
            revoked, complete = await client.mget(*keys)
            return True if revoked else False if complete else None

        return await self._breakers.call("redis-live", ask, TIMEOUT_SECONDS)

    async def _ask_postgres(self, token_hash: str) -> bool:
        rows = await self._rows(_ONE_SQL, {"token": token_hash})
        return bool(rows[0][0])

    async def _load(self, token_hash: str) -> bool:
        """Bring Redis up to date, unless there is too much of it, and answer from what was read."""
        revoked: dict[str, int] = dict(await self._rows(_ALL_SQL, {"most": MOST_LOADED + 1}))
        if len(revoked) > MOST_LOADED:
            return await self._ask_postgres(token_hash)
        await self._tell_redis(revoked, complete=True)
        return token_hash in revoked

    async def _rows(self, query: LiteralString, params: dict[str, str | int]) -> list[Any]:
        try:
            async with self._pool.connection() as conn:
                return await (await conn.execute(query, params)).fetchall()
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error

    async def _tell_redis(self, hashes: dict[str, int], *, complete: bool = False) -> None:
        """Best effort: what is not told now is loaded when the mark of completeness has run out."""
        client = self._client
        if client is None:
            return

        async def tell() -> None:
            async with client.pipeline(transaction=True) as pipe:
                for token_hash, seconds in hashes.items():
                    pipe.set(revoked_key(self._prefix, token_hash), 1, ex=max(seconds, 1))
                if complete:
                    pipe.set(complete_key(self._prefix), 1, ex=COMPLETE_SECONDS)
                await pipe.execute()

        try:
            await self._breakers.call("redis-live", tell, TIMEOUT_SECONDS)
        except Retryable as error:
            log.warning("revocation_not_in_redis", error=str(error))


def _event(user: str, expires_at: datetime, jti: str | None) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    until = expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"userId": user, "jti": jti, "at": now, "expiresAt": until, "reason": "logout"}
