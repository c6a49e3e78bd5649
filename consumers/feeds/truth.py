"""What feeds read from PostgreSQL: the state of posts, a viewer's profile, and candidates for the fallback.

The write side (`projection.py`) reads posts of a batch, the read side a profile now and then; only `fallback.py` runs
the candidate queries. Cards, and the rule of who may see them, are `consumers/engine/cards.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

import psycopg
import structlog

from consumers.feeds.cursor import Place
from consumers.feeds.mapping import PostState, candidate_of, encode
from consumers.feeds.pools import MOST_FOLLOWS, Mode, parameters
from consumers.feeds.profile import profile_of
from consumers.feeds.ranking import Candidate, Profile
from runtime.access import POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_dicts
from runtime.statements import load

_FOLDER: Final = Path(__file__).parent / "sql"
_POSTS: Final = load(_FOLDER / "posts.sql")
_PROFILE: Final = load(_FOLDER / "profile.sql")
_CANDIDATES: Final = load(_FOLDER / "candidates.sql")
_OF_BATCH: Final = _POSTS["of_batch"].replace("{COLUMNS}", _POSTS["columns"])
_BY_ID: Final = _POSTS["by_id"].replace("{COLUMNS}", _POSTS["columns"])
_RECENT: Final = _CANDIDATES["recent"].replace("{POST_VISIBLE}", POST_VISIBLE)

#: Likes and comments are counted up to here: 3 * 5000 / (3 * 5000 + 50) is as good as 1.
COUNTED: Final = 5000
#: The newest likers and commenters of a post that can prove it to their friends.
PEOPLE: Final = 20
#: How many posts are read again when their author changes.
POSTS_OF_AUTHOR: Final = 300
CIRCLE_MATES: Final = 200

SEMANTIC_TIMEOUT_MS: Final = 200
FEATURES_SECONDS: Final = 60.0

_LIMITS: Final[Mapping[str, Any]] = {"counted": COUNTED, "people": PEOPLE}

log = structlog.get_logger(__name__)


async def posts_of_batch(
    conn: Connection, posts: Iterable[str], authors: Iterable[str]
) -> tuple[list[PostState], list[str]]:
    """What these posts, and the posts of these authors, are now; and the ids of those that are not to be shown."""
    wanted = list(posts)
    params = {**_LIMITS, "posts": wanted, "authors": list(authors), "most": POSTS_OF_AUTHOR}
    rows = await fetch_dicts(conn, _OF_BATCH, params)
    states = [encode(candidate_of(row)) for row in rows if row["active"]]
    present = {state.id for state in states}
    named = dict.fromkeys([*wanted, *(row["id"] for row in rows)])
    return states, [post for post in named if post not in present]


async def next_posts(conn: Connection, after: str, most: int) -> list[str]:
    """Ids of posts that follow `after`, in order: what a rebuild reads."""
    rows = await conn.execute(_POSTS["next"], {"after": after, "most": most})
    return [row[0] for row in await rows.fetchall()]


async def posts_by_id(conn: Connection, ids: Sequence[str]) -> list[Candidate]:
    """Candidates that the fallback has chosen."""
    rows = await fetch_dicts(conn, _BY_ID, {**_LIMITS, "ids": list(ids)})
    return [candidate_of(row) for row in rows]


async def candidates(
    conn: Connection, mode: Mode, scope: Scope, follows: Sequence[str], now_ms: int
) -> list[Candidate]:
    """What the pools would hold for this viewer, found in the truth."""
    name = "following" if mode is Mode.FOLLOWING else "for_you"
    rows = await (await conn.execute(_CANDIDATES[name], parameters(scope, follows, now_ms))).fetchall()
    return await posts_by_id(conn, [row[0] for row in rows])


async def recent(
    conn: Connection, scope: Scope, after: Place | None, most: int, authors: Sequence[str] | None = None
) -> list[Place]:
    """Visible posts in chronological order, of some authors or of all."""
    params = {
        **scope.params(),
        "authors": None if authors is None else list(authors),
        "most": most,
        "from_id": after.id if after else None,
        "from_pinned": after.pinned if after else None,
        "from_created": _timestamp(after.created_ms) if after else None,
    }
    rows = await fetch_dicts(conn, _RECENT, params)
    return [Place(row["pinned"], row["created_ms"], row["id"]) for row in rows]


def _timestamp(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000, tzinfo=None)


class ViewerTruth:
    """What PostgreSQL knows of viewers; asks now and then which optional tables and functions there are."""

    def __init__(self) -> None:
        self._feedback = False
        self._semantic = False
        self._looked_at = -FEATURES_SECONDS

    async def profile(self, conn: Connection, viewer: str) -> Profile:
        """The profile of a viewer; an empty one when they are gone."""
        await self._look(conn)
        params = {"viewer": viewer, "follows": MOST_FOLLOWS, "mates": CIRCLE_MATES}
        rows = await fetch_dicts(conn, _PROFILE["profile"], params)
        feedback: list[tuple[str, str, list[str] | None]] = []
        if self._feedback:
            found = await fetch_dicts(conn, _PROFILE["feedback"], params)
            feedback = [(row["kind"], row["type"], row["tags"]) for row in found]
        return profile_of(rows[0], feedback) if rows else Profile()

    async def turned_away(self, conn: Connection, viewer: str, ids: Sequence[str]) -> set[str]:
        """Those of some posts that the viewer has hidden."""
        await self._look(conn)
        if not self._feedback or not ids:
            return set()
        cursor = await conn.execute(_PROFILE["turned_away"], {"viewer": viewer, "ids": list(ids)})
        return {row[0] for row in await cursor.fetchall()}

    async def semantic(self, conn: Connection, viewer: str, ids: Sequence[str]) -> dict[str, float]:
        """How near posts are to what the viewer reads; nothing when there are no vectors, or they are slow."""
        await self._look(conn)
        if not self._semantic or not ids:
            return {}
        try:
            async with conn.transaction():
                former = await _statement_timeout(conn, str(SEMANTIC_TIMEOUT_MS))
                cursor = await conn.execute(_PROFILE["semantic"], {"viewer": viewer, "ids": list(ids)})
                scores = {row[0]: float(row[1]) for row in await cursor.fetchall() if row[1] is not None}
                await _statement_timeout(conn, former)
                return scores
        except (psycopg.errors.QueryCanceled, psycopg.ProgrammingError) as error:
            log.warning("semantic_scores_unavailable", error=str(error))
            return {}

    async def _look(self, conn: Connection) -> None:
        if monotonic() - self._looked_at < FEATURES_SECONDS:
            return
        row = await (await conn.execute(_PROFILE["features"])).fetchone()
        assert row is not None  # a SELECT without FROM always gives one row
        self._feedback, self._semantic = row
        self._looked_at = monotonic()


async def _statement_timeout(conn: Connection, value: str) -> str:
    """Set it for this transaction; returns what it was. A savepoint that is released would keep it."""
    cursor = await conn.execute(
        "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)", (value,)
    )
    row = await cursor.fetchone()
    assert row is not None  # a SELECT without FROM always gives one row
    return str(row[0])
