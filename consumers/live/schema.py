"""The Redis keys of live state; the tables are in migrations/001_live.sql.

<prefix>:live:{<school>}:online     zset    user id -> time of the last heartbeat (seconds, PostgreSQL's clock)
<prefix>:live:{revoked}:<hash>      string  a token that was logged out, until it expires
<prefix>:live:{revoked}:complete    string  for a few seconds: every revoked token of PostgreSQL is in Redis
"""

from __future__ import annotations

from typing import Final

#: A heartbeat counts this long; clients send one every 20 seconds.
ONLINE_SECONDS: Final = 30


def online_key(prefix: str, school: str) -> str:
    """Who is online in a school."""
    return f"{prefix}:live:{{{school}}}:online"


def revoked_key(prefix: str, token_hash: str) -> str:
    """One revoked token."""
    return f"{prefix}:live:{{revoked}}:{token_hash}"


def complete_key(prefix: str) -> str:
    """The mark that what is not in Redis has not been revoked."""
    return f"{prefix}:live:{{revoked}}:complete"
