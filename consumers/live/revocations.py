"""Tokens that were logged out, until they would have expired anyway: a row and an event in one transaction.

Who checks a token (`runtime/auth.py`) reads the user's row anyway, and asks for the logout in the same statement: exact
at once in every process, and a round trip less than asking Redis, which could only say what it had been told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool

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


class TokenRevocations:
    """What `runtime/auth.py` asks before it trusts a token."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def condition(self) -> LiteralString:
        """Whether the token with the hash %(token)s has been logged out."""
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
        return str(row[0])


def _event(user: str, expires_at: datetime, jti: str | None) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    until = expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"userId": user, "jti": jti, "at": now, "expiresAt": until, "reason": "logout"}
