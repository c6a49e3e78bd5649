"""The Redis keys of live state; the tables are in migrations/.

<prefix>:live:{<school>}:online               zset    user id -> last heartbeat, in seconds of PostgreSQL's clock
<prefix>:live:{<code>}:board:<game>:<closed>  string  a game's leaderboard after so many closed questions, JSON
"""

from __future__ import annotations

from typing import Any, Final

from runtime.redis import Client
from runtime.settings import Profile

#: A heartbeat counts this long; clients send one every 20 seconds.
ONLINE_SECONDS: Final = 30


def online_key(prefix: str, school: str) -> str:
    """Who is online in a school."""
    return f"{prefix}:live:{{{school}}}:online"


def board_key(prefix: str, code: str, game: str, closed: int) -> str:
    """The leaderboard of a game after so many closed questions."""
    return f"{prefix}:live:{{{code}}}:board:{game}:{closed}"


def client_of(state: Any) -> Client | None:
    """The Redis for live state, if there is one. `economy` keeps live state in PostgreSQL.

    Each heartbeat is five commands: a class that is online for an hour would use up a free tier's day.
    """
    if state.settings.stunity_profile is Profile.ECONOMY:
        return None
    client: Client | None = getattr(state, "redis", None)
    return client
