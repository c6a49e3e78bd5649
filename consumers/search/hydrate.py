"""From keys to what a client sees: read from the truth, under the visibility rule, whatever the index believed.

Post cards are shared with other views (`consumers/engine/cards.py`); people, clubs and courses are here. Also the
listing by time, which needs no index. E-mail and phone are in none of these statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from consumers.engine.cards import hydrate_posts, timestamp
from consumers.search.patterns import tag_variants
from consumers.search.request import PostQuery, Recent
from consumers.search.schema import Kind
from runtime.access import CLUB_VISIBLE, COURSE_VISIBLE, PERSON_VISIBLE, POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_dicts, fetch_rows
from runtime.statements import load

Card = dict[str, Any]

_FOLDER: Final = Path(__file__).parent / "sql"
_VISIBLE: Final = {"users": PERSON_VISIBLE, "clubs": CLUB_VISIBLE, "courses": COURSE_VISIBLE}
_SQL: Final = {
    kind: statement.replace("{VISIBLE}", _VISIBLE[kind])
    for kind, statement in load(_FOLDER / "cards.sql").items()
}
_RECENT_SQL: Final = (_FOLDER / "recent.sql").read_text(encoding="utf-8").replace("{VISIBLE}", POST_VISIBLE)
_MEMBERSHIPS_SQL: Final = """
SELECT "clubId" FROM club_members WHERE "userId" = %s AND "isActive" ORDER BY "joinedAt" DESC LIMIT 500
"""


async def cards(conn: Connection, kind: Kind, scope: Scope, keys: Sequence[str]) -> list[Card]:
    """The cards of those keys that the viewer may see, in the order given; one query."""
    if kind == "posts":
        return await hydrate_posts(conn, scope, keys)
    if not keys:
        return []
    found = await fetch_dicts(conn, _SQL[kind], {**scope.params(), "ids": list(keys)}, prepare=True)
    for card in found:
        if "createdAt" in card:
            card["createdAt"] = timestamp(card["createdAt"])
    return found


async def enough(conn: Connection, kind: Kind, scope: Scope, keys: Sequence[str], wanted: int) -> list[Card]:
    """At least so many cards, if there are, in the order of `keys`; the keys to spare only when some are not shown."""
    found = await cards(conn, kind, scope, keys[:wanted])
    if len(found) < wanted < len(keys):
        found += await cards(conn, kind, scope, keys[wanted:])
    return found


async def recent(
    conn: Connection, query: PostQuery, scope: Scope, after: Recent | None, count: int
) -> list[Recent]:
    """The next visible posts by time, newest first."""
    params = {
        "wanted_school": query.school_id,
        "wanted_type": query.post_type,
        "wanted_tags": None if query.tag is None else tag_variants([query.tag]),
        "after_time": None if after is None else after.created_at,
        "after_id": None if after is None else after.id,
        "count": count,
    }
    rows = await fetch_rows(conn, _RECENT_SQL, {**scope.params(), **params})
    return [Recent(created_at, key) for key, created_at in rows]


async def memberships(conn: Connection, user_id: str) -> list[str]:
    """The clubs that a person is an active member of, which is how invite-only clubs are found."""
    return [row[0] for row in await fetch_rows(conn, _MEMBERSHIPS_SQL, (user_id,))]
