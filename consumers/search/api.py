"""HTTP of search: what is asked, the view's keys or PostgreSQL's, then cards under the visibility rule.

`GET /posts` lists visible posts by time, or finds them with `search=`; `GET /posts/{id}` reads one; `GET /search`
asks several collections at once, `GET /search/suggest` completes, `GET /search/key` is for clients that ask Typesense
themselves. Writing posts is `producers/posts_api.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from consumers.engine.cards import hydrate_posts
from consumers.engine.reads import Reader, reader
from consumers.search import fallback, hydrate
from consumers.search.facets import COUNTED, Facets, facets
from consumers.search.highlights import highlighted
from consumers.search.request import (
    MAX_DEPTH,
    MAX_LIMIT,
    MAX_QUERY,
    BadCursor,
    PostQuery,
    Ranked,
    encode_cursor,
    ranked_place,
    recent_place,
)
from consumers.search.schema import KINDS, Kind
from consumers.search.suggestions import suggestions
from consumers.search.view import SearchView
from runtime.errors import Retryable
from runtime.http import Problem, Text
from runtime.postgres import TRANSIENT, Connection, reading

if TYPE_CHECKING:
    from consumers.search.keys import ClientKeys

router = APIRouter(tags=["search"])

PostType = Literal[
    "ARTICLE", "COURSE", "QUIZ", "QUESTION", "EXAM", "ANNOUNCEMENT", "ASSIGNMENT", "POLL", "RESOURCE", "PROJECT",
    "TUTORIAL", "RESEARCH", "ACHIEVEMENT", "REFLECTION", "COLLABORATION", "CLUB_CREATED", "EVENT_CREATED",
]  # fmt: skip
SearchReader = Annotated[Reader, Depends(reader("search", "typesense", timeout=1.0))]
Words = Annotated[Text, Query(min_length=1, max_length=MAX_QUERY)]
Id = Annotated[Text, Path(min_length=1, max_length=200)]
_KIND = rf" *(?:{'|'.join(KINDS)}) *"
_TYPES = rf"^{_KIND}(?:,{_KIND})*$"
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]

#: Hits asked for beyond a page when some that the index still has are not shown any more, since each costs Typesense
#: 0.1 ms; and before the page, to find the place again when something ahead of it has gone.
_SPARE: Final = 10


@router.get("/posts")
async def list_posts(
    request: Request,
    reader: SearchReader,
    search: Annotated[Text | None, Query(max_length=MAX_QUERY)] = None,
    school_id: Annotated[Text | None, Query(alias="schoolId", max_length=200)] = None,
    post_type: Annotated[PostType | None, Query(alias="postType")] = None,
    tag: Annotated[Text | None, Query(max_length=100)] = None,
    limit: Limit = 20,
    cursor: Annotated[Text | None, Query(max_length=1000)] = None,
    with_facets: Annotated[bool, Query(alias="facets")] = False,
) -> dict[str, Any]:
    """Posts that the viewer may see: the best for `search`, or the newest.

    A search gives each card `highlights`. With `facets=true` it also counts its first 250 results by school, type
    and tag.
    """
    query = PostQuery(search if search and search.strip() else None, school_id, post_type, tag)
    try:
        if query.search is None:
            return await _recent_page(reader, query, limit, cursor)
        place = ranked_place(query, cursor)
        page = await _ranked_page(request, reader, query, limit, place)
        page["data"] = highlighted(query.search, "posts", page["data"])
        if with_facets:
            page["facets"] = await _facets(request, reader, query, place.until)
        return page
    except BadCursor as error:
        raise Problem(400, detail="The cursor is not one of this query.") from error


@router.get("/posts/{post_id}")
async def one_post(reader: SearchReader, post_id: Id) -> dict[str, Any]:
    """One post; 404 when there is none or the viewer may not see it."""
    scope = reader.scope
    found = await reader.answer(None, lambda conn: hydrate_posts(conn, scope, [post_id]))
    if not found:
        raise Problem(404, detail="There is no such post.")
    return {"data": found[0]}


@router.get("/search")
async def search_everything(
    request: Request,
    reader: SearchReader,
    q: Words,
    types: Annotated[str, Query(pattern=_TYPES, max_length=100)] = ",".join(KINDS),
    limit: Limit = 10,
) -> dict[str, Any]:
    """The best posts, people, clubs and courses for `q`, each under its own name."""
    kinds = _kinds(types)
    scope = reader.scope
    view = _view(request)
    clubs = await _memberships(reader) if view and "clubs" in kinds else []
    found = await reader.answer(
        (lambda: view.search(kinds, q, scope, clubs, limit + _SPARE)) if view else None,
        lambda conn: fallback.search(conn, kinds, q, scope, limit),
    )
    cards = await _cards(reader, found, limit)
    return {"data": {kind: highlighted(q, kind, of_kind[:limit]) for kind, of_kind in cards.items()}}


@router.get("/search/key")
async def client_key(request: Request, reader: SearchReader) -> dict[str, Any]:
    """A key with which this viewer's client may search Typesense itself for five minutes; 404 unless switched on."""
    keys: ClientKeys | None = getattr(request.app.state, "search_keys", None)
    if keys is None:
        raise Problem(404, detail="Clients search through this API here.")
    return {"data": await keys.issue(reader.scope)}


@router.get("/search/suggest")
async def suggest(
    request: Request, reader: SearchReader, q: Words, limit: Annotated[int, Query(ge=1, le=20)] = 10
) -> dict[str, Any]:
    """What begins with `q`, or nearly so: tags, titles, and names of people, clubs and courses."""
    scope = reader.scope
    view = _view(request)
    clubs = await _memberships(reader) if view else []
    found = await reader.answer(
        (lambda: view.suggest(q, scope, clubs, limit)) if view else None,
        lambda conn: fallback.suggest(conn, q, scope, limit),
    )
    return {"data": suggestions(q, await _cards(reader, found, limit), limit)}


async def _recent_page(reader: Reader, query: PostQuery, limit: int, cursor: str | None) -> dict[str, Any]:
    scope = reader.scope
    after = recent_place(query, cursor)

    async def from_postgres(conn: Connection) -> dict[str, Any]:
        found = await hydrate.recent(conn, query, scope, after, limit + 1)
        page = found[:limit]
        more = encode_cursor(query, page[-1]) if len(found) > limit else None
        return {"data": await hydrate_posts(conn, scope, [one.id for one in page]), "nextCursor": more}

    return await reader.answer(None, from_postgres)


async def _ranked_page(
    request: Request, reader: Reader, query: PostQuery, limit: int, place: Ranked
) -> dict[str, Any]:
    """One page of ranked posts; posts written after paging began do not move it."""
    first = max(place.offset - _SPARE, 0)
    for spare in (1, _SPARE):
        count = place.offset - first + limit + spare
        keys = await _ranked(request, reader, query, first, count, place.until)
        start = keys.index(place.last) + 1 if place.last in keys else place.offset - first
        async with _postgres(reader) as conn:
            cards = await hydrate.enough(conn, "posts", reader.scope, keys[start:], limit + 1)
        if len(cards) > limit or len(keys) < count:
            break
    page = cards[:limit]
    more = len(cards) > limit or len(keys) == count
    if not page or not more:
        return {"data": page, "nextCursor": None}
    last = page[-1]["id"]
    passed = first + keys.index(last) + 1
    if passed >= MAX_DEPTH:
        return {"data": page, "nextCursor": None}
    began = place.until if place.until is not None else int(time() * 1000)
    return {"data": page, "nextCursor": encode_cursor(query, Ranked(passed, last, began))}


async def _facets(request: Request, reader: Reader, query: PostQuery, until: int | None) -> Facets:
    keys = await _ranked(request, reader, query, 0, COUNTED, until)
    async with _postgres(reader) as conn:
        return await facets(conn, reader.scope, keys)


async def _ranked(
    request: Request, reader: Reader, query: PostQuery, first: int, count: int, until: int | None
) -> list[str]:
    """Keys of the hits `first` up to `first + count`."""
    scope, view = reader.scope, _view(request)
    return await reader.answer(
        (lambda: view.posts(query, scope, first, count, until)) if view else None,
        lambda conn: fallback.posts(conn, query, scope, first, count, until),
    )


async def _cards(reader: Reader, found: dict[Kind, list[str]], limit: int) -> dict[Kind, list[hydrate.Card]]:
    scope = reader.scope
    async with _postgres(reader) as conn:
        return {kind: await hydrate.enough(conn, kind, scope, keys, limit) for kind, keys in found.items()}


async def _memberships(reader: Reader) -> list[str]:
    async with _postgres(reader) as conn:
        return await hydrate.memberships(conn, reader.viewer.id)


@asynccontextmanager
async def _postgres(reader: Reader) -> AsyncIterator[Connection]:
    try:
        async with reading(reader.pool) as conn:
            yield conn
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error


def _kinds(types: str) -> Sequence[Kind]:
    wanted = {part.strip() for part in types.split(",")}
    return [kind for kind in KINDS if kind in wanted]


def _view(request: Request) -> SearchView | None:
    return getattr(request.app.state, "search", None)
