"""From a place in a list to a page of cards: hydration under the visibility rule, and the cursor of what follows.

The only file that both sources of a list (`view.py`, `fallback.py`) lead to. What is gone, hidden or blocked since the
list was made is passed over, and the page is filled from what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumers.engine.cards import hydrate_posts
from consumers.feeds.cursor import (
    Cursor,
    Place,
    RankedCursor,
    RecentCursor,
    add_shown,
    shown_set,
    was_shown,
)
from consumers.feeds.pools import Mode
from consumers.feeds.session import Ranking, Window
from consumers.feeds.truth import ViewerTruth
from runtime.access import Scope
from runtime.postgres import Connection

#: A page may come out short after so many rounds of hydration; its cursor leads on all the same.
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Page:
    """Cards in order, and where to go on."""

    cards: Sequence[dict[str, Any]]
    following: Cursor | None
    ranked_at_ms: int = 0


class Pages:
    """Fills pages for one viewer on one connection."""

    def __init__(self, conn: Connection, scope: Scope, viewers: ViewerTruth) -> None:
        self._conn = conn
        self._scope = scope
        self._viewers = viewers

    async def ranked(self, mode: Mode, ranking: Ranking, limit: int, shown: bytes = b"") -> Page:
        """The next `limit` posts of a ranked list; `shown` are the hashes of those before."""
        session, offset = ranking.session, ranking.offset
        cards: list[dict[str, Any]] = []
        for _ in range(ROUNDS):
            part = session.entries[offset : offset + limit - len(cards)]
            if not part:
                break
            offset += len(part)
            shown = add_shown(shown, [entry.id for entry in part])
            found = await self._hydrated([entry.id for entry in part])
            cards += [
                found[entry.id] | {"_score": entry.score, "_scoreBreakdown": entry.breakdown()}
                for entry in part
                if entry.id in found
            ]
        return Page(cards, _after_ranked(mode, ranking, offset, shown), session.ranked_at_ms)

    async def recent(self, cursor: RecentCursor, window: Window, limit: int) -> Page:
        """The next `limit` posts of a chronological window that were not shown as ranked before."""
        shown = shown_set(cursor.shown)
        waiting = [place for place in window.places if _is_due(place, cursor, shown)]
        cards: list[dict[str, Any]] = []
        taken = 0
        while taken < len(waiting) and len(cards) < limit:
            part = waiting[taken : taken + limit - len(cards)]
            taken += len(part)
            found = await self._hydrated([place.id for place in part])
            cards += [found[place.id] for place in part if place.id in found]
        if taken == len(waiting) and window.last:
            return Page(cards, None)
        after: Place | None = waiting[taken - 1] if taken < len(waiting) else window.places[-1]
        return Page(cards, RecentCursor(cursor.mode, after, cursor.shown, cursor.ranked_at_ms))

    async def _hydrated(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        hidden = await self._viewers.turned_away(self._conn, self._scope.viewer.id, ids)
        cards = await hydrate_posts(self._conn, self._scope, [post for post in ids if post not in hidden])
        return {card["id"]: card for card in cards}


def _is_due(place: Place, cursor: RecentCursor, shown: frozenset[bytes]) -> bool:
    """Behind a ranked list: not what it has shown, nor what came after it was made."""
    return not cursor.shown or (place.created_ms <= cursor.ranked_at_ms and not was_shown(place.id, shown))


def _after_ranked(mode: Mode, ranking: Ranking, offset: int, shown: bytes) -> Cursor | None:
    """Further down the list; in chronological order after its end, when there is more than was ranked."""
    session = ranking.session
    if offset < len(session.entries):
        return RankedCursor(mode, session.id, offset, session.ranked_at_ms, shown)
    return RecentCursor(mode, None, shown, session.ranked_at_ms) if session.cut else None
