"""Whom to follow: friends of friends first, then people of like interests, then schoolmates. Ranking only.

Who may be suggested at all is `sql/rules.sql`. Likeness comes from vectors (`view.py`) or from shared words
(`fallback.py`); the other two need neither, so view and fallback agree on them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from consumers.embeddings import cards
from consumers.embeddings.queries import TRUTH
from runtime.access import Scope
from runtime.postgres import Connection, fetch_rows


async def suggest(
    conn: Connection, scope: Scope, alike: Callable[[], Awaitable[Sequence[str]]], limit: int
) -> list[cards.Card]:
    """Cards of up to `limit` people, each with the reason and the number of mutual follows behind it.

    `alike` finds people of like interests. It looks at everybody, so it is asked when mutual follows leave room.
    """
    params = {**scope.params(), "limit": limit}
    mutuals: dict[str, int] = dict(await fetch_rows(conn, TRUTH["mutuals"], params))
    reasons = dict.fromkeys(mutuals, "mutual")
    if len(reasons) < limit:
        _offer(reasons, await alike(), "interests", limit)
    if len(reasons) < limit:
        rows = await fetch_rows(conn, TRUTH["schoolmates"], params)
        _offer(reasons, [row[0] for row in rows], "school", limit)
    found = await cards.people(conn, scope, list(reasons))
    return [
        {**card, "reason": reasons[card["id"]], "mutualCount": mutuals.get(card["id"], 0)} for card in found
    ]


def _offer(reasons: dict[str, str], people: Sequence[str], reason: str, limit: int) -> None:
    for person in people:
        if len(reasons) >= limit:
            return
        reasons.setdefault(person, reason)
