"""Feeds without Redis: the same candidates found in PostgreSQL, ranked by the same code.

The same posts as from the view, in the same order, but for these: an author with more than `AUTHOR_CAP` posts among
the newest is cut shorter by the view; trending posts are chosen by upstream's counters, which drift; a list that the
view has kept may be `DRIFT_SECONDS` behind in what strangers do, and a profile `PROFILE_TTL` behind in who else has
joined one's clubs and courses. Nothing is kept between requests: a cursor
carries what it needs (`cursor.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers.feeds import truth
from consumers.feeds.cursor import Place, RankedCursor, RecentCursor, add_shown, shown_set, was_shown
from consumers.feeds.pools import Mode, visible
from consumers.feeds.ranking import SESSION_SIZE
from consumers.feeds.session import Ranking, Session, Window, ranked_entries
from consumers.feeds.truth import ViewerTruth
from runtime.access import Scope
from runtime.postgres import Connection


async def ranking(
    conn: Connection,
    viewers: ViewerTruth,
    mode: Mode,
    scope: Scope,
    now_ms: int,
    cursor: RankedCursor | None = None,
) -> Ranking:
    """A list ranked now, or as of a cursor's moment without what it has shown."""
    at_ms = cursor.ranked_at_ms if cursor else now_ms
    profile = await viewers.profile(conn, scope.viewer.id)
    found = visible(await truth.candidates(conn, mode, scope, profile.follows, at_ms), scope)
    semantic = await viewers.semantic(conn, scope.viewer.id, [post.id for post in found])
    entries = ranked_entries(found, profile, semantic, at_ms, cursor)
    shown = add_shown(cursor.shown if cursor else b"", [entry.id for entry in entries])
    authors = profile.follows if mode is Mode.FOLLOWING else None
    return Ranking(Session("", at_ms, entries, await _more(conn, scope, shown, authors)), 0, hit=False)


async def tail(
    conn: Connection, viewers: ViewerTruth, scope: Scope, cursor: RecentCursor, limit: int
) -> Window:
    """What follows a ranked list in chronological order; enough of it for a page without what was ranked."""
    follows = cursor.mode is Mode.FOLLOWING
    authors = (await viewers.profile(conn, scope.viewer.id)).follows if follows else None
    return await recent(conn, scope, cursor.after, limit + len(shown_set(cursor.shown)), authors)


async def _more(conn: Connection, scope: Scope, shown: bytes, authors: Sequence[str] | None) -> bool:
    """Whether any visible post is not among those ranked: of one more than were ranked, one is not."""
    ranked = shown_set(shown)
    if len(ranked) >= SESSION_SIZE:
        return True
    places = await truth.recent(conn, scope, None, len(ranked) + 1, authors)
    return any(not was_shown(place.id, ranked) for place in places)


async def recent(
    conn: Connection, scope: Scope, after: Place | None, most: int, authors: Sequence[str] | None = None
) -> Window:
    """Visible posts in chronological order, of some authors or of all."""
    places = await truth.recent(conn, scope, after, most + 1, authors)
    return Window(places, last=len(places) <= most)
