"""HTTP of feeds: which list is asked for, the view's or PostgreSQL's, one page of it, and whether the client has it.

Lists are made in `view.py` and `fallback.py`, cards in `pages.py`. The ETag covers what a client shows: the cards with
their counts and the viewer's own marks on them, in order; not the scores, which move with every minute.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field

from consumers.engine.reads import Reader, reader
from consumers.feeds import cursor as cursors
from consumers.feeds import fallback
from consumers.feeds.cursor import BadCursor, RankedCursor, RecentCursor
from consumers.feeds.pages import Page, Pages
from consumers.feeds.pools import Mode
from consumers.feeds.session import Ranking, Window
from consumers.feeds.store import FeedStore
from consumers.feeds.truth import ViewerTruth
from consumers.feeds.view import FeedView
from runtime.errors import Retryable
from runtime.http import Problem, Text
from runtime.postgres import TRANSIENT, Connection

router = APIRouter(tags=["feed"])

FeedReader = Annotated[Reader, Depends(reader("feeds", "redis", timeout=1.0))]

ALGORITHM: Final = "seven-factors.v1"


@router.get("/feed")
async def feed(
    request: Request,
    reader: FeedReader,
    mode: Mode = Mode.FOR_YOU,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
    cursor: Annotated[Text | None, Query(), Field(max_length=4096)] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A page of the viewer's feed; 304 when the client has it already."""
    place = _place(cursor, mode)
    if isinstance(place, RecentCursor):
        window, kept = await _window(request, reader, place, limit)
        async with _pages(request, reader) as pages:
            page = await pages.recent(place, window, limit)
    else:
        ranking = await _ranking(request, reader, mode, place)
        kept = ranking.hit
        async with _pages(request, reader) as pages:
            page = await pages.ranked(mode, ranking, limit, place.shown if place else b"")
    headers = reader.headers | {
        "ETag": _etag(page),
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
        "X-Cache": "HIT" if kept else "MISS",
    }
    if _has(if_none_match, headers["ETag"]):
        return Response(None, 304, headers)
    return Response(_body(page, mode), 200, headers, "application/json")


def feed_view(request: Request) -> FeedView | None:
    """The view of this process, made at its first use; None without Redis."""
    state = request.app.state
    client = getattr(state, "redis", None)
    if client is None:
        return None
    if not hasattr(state, "feeds"):
        store = FeedStore(client, state.settings.stream_prefix)
        state.feeds = FeedView(store, state.pool, viewer_truth(request))
    view: FeedView = state.feeds
    return view


def viewer_truth(request: Request) -> ViewerTruth:
    """What this process knows of optional tables, made at its first use."""
    state = request.app.state
    if not hasattr(state, "feed_viewers"):
        state.feed_viewers = ViewerTruth()
    viewers: ViewerTruth = state.feed_viewers
    return viewers


async def _ranking(request: Request, reader: Reader, mode: Mode, cursor: RankedCursor | None) -> Ranking:
    scope = reader.scope
    now_ms = int(time.time() * 1000)
    view = feed_view(request)

    async def from_view() -> Ranking:
        assert view is not None  # it is asked only when there is one
        return await (view.resumed(scope, cursor) if cursor else view.newest(mode, scope, now_ms))

    async def from_truth(conn: Connection) -> Ranking:
        return await fallback.ranking(conn, viewer_truth(request), mode, scope, now_ms, cursor)

    return await reader.answer(from_view if view else None, from_truth)


async def _window(request: Request, reader: Reader, cursor: RecentCursor, limit: int) -> tuple[Window, bool]:
    """A window, and whether it came from the pools; PostgreSQL goes deeper than these, and behind ranked lists."""
    scope = reader.scope
    view = feed_view(request) if cursor.mode is Mode.RECENT else None

    async def from_view() -> Window | None:
        assert view is not None  # it is asked only when there is one
        return await view.recent(scope, cursor.after, limit)

    async def from_truth(conn: Connection) -> Window:
        return await fallback.tail(conn, viewer_truth(request), scope, cursor, limit)

    window = await reader.answer(from_view, from_truth) if view else None
    if window is not None:
        return window, reader.headers.get("stunity-source") == "redis"
    return await reader.answer(None, from_truth), False


@asynccontextmanager
async def _pages(request: Request, reader: Reader) -> AsyncIterator[Pages]:
    scope = reader.scope
    try:
        async with reader.pool.connection() as conn:
            yield Pages(conn, scope, viewer_truth(request))
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error


def _place(cursor: str | None, mode: Mode) -> RankedCursor | RecentCursor | None:
    if cursor is None:
        return RecentCursor(mode, None) if mode is Mode.RECENT else None
    try:
        return cursors.decode(cursor, mode)
    except BadCursor as error:
        raise Problem(400, detail="The cursor is not one that this feed gave out.") from error


def _body(page: Page, mode: Mode) -> bytes:
    ranked_at = datetime.fromtimestamp(page.ranked_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return orjson.dumps(
        {
            "data": [{"type": "POST", "data": card} for card in page.cards],
            "nextCursor": cursors.encode(page.following) if page.following else None,
            "meta": {
                "mode": mode,
                "algorithm": "chronological" if mode is Mode.RECENT else ALGORITHM,
                "rankedAt": ranked_at.replace("+00:00", "Z") if page.ranked_at_ms else None,
            },
        }
    )


def _etag(page: Page) -> str:
    """Weak: it says that the same is shown, not that every byte is the same."""
    shown = [{name: value for name, value in card.items() if name[0] != "_"} for card in page.cards]
    digest = hashlib.blake2b(orjson.dumps((shown, page.following is None)), digest_size=12).hexdigest()
    return f'W/"feed-{digest}"'


def _has(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110 13.1.2: weak comparison, any of several, or `*`."""
    if if_none_match is None:
        return False
    wanted = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in wanted or etag.removeprefix("W/") in wanted
