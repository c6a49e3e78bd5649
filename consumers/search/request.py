"""What may be asked: limits, cursors, and the terms of a query. Pure; HTTP is `api.py`.

A cursor is opaque to clients and worth nothing to them: it only says where to go on, and every answer passes the
visibility rule again. One that we did not make, or that belongs to another query, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

MAX_QUERY: Final = 200
MAX_LIMIT: Final = 50
#: How far anybody pages through search results.
MAX_DEPTH: Final = 1000


class BadCursor(ValueError):
    """The cursor is none of ours, or belongs to another query."""


@dataclass(frozen=True, slots=True)
class PostQuery:
    """A search for posts, or, without words, the most recent ones."""

    search: str | None = None
    school_id: str | None = None
    post_type: str | None = None
    tag: str | None = None

    @property
    def digest(self) -> str:
        """A short name of the query, by which a cursor knows its own."""
        parts = orjson.dumps([self.search, self.school_id, self.post_type, self.tag])
        return hashlib.sha256(parts).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A place in ranked results: `offset` hits were passed, `last` was the last, `until` is when paging began."""

    offset: int = 0
    last: str | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """A place in the posts by time: the last one shown."""

    created_at: datetime
    id: str


def encode_cursor(query: PostQuery, place: Ranked | Recent) -> str:
    """The cursor that a client gets."""
    if isinstance(place, Ranked):
        parts: list[Any] = [query.digest, place.offset, place.last, place.until]
    else:
        parts = [query.digest, place.created_at.isoformat(), place.id]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def ranked_place(query: PostQuery, cursor: str | None) -> Ranked:
    """Where a search goes on.

    Raises:
        BadCursor: not a cursor of this query.
    """
    if cursor is None:
        return Ranked()
    match _parts(query, cursor):
        case [int(offset), str(last), int(until)] if 0 <= offset <= MAX_DEPTH and 0 <= until < 2**53:
            return Ranked(offset, last, until)
    raise BadCursor


def recent_place(query: PostQuery, cursor: str | None) -> Recent | None:
    """Where a listing by time goes on.

    Raises:
        BadCursor: not a cursor of this query.
    """
    if cursor is None:
        return None
    match _parts(query, cursor):
        case [str(created_at), str(identifier)]:
            return Recent(_moment(created_at), identifier)
    raise BadCursor


def _parts(query: PostQuery, cursor: str) -> list[Any]:
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if (
        not isinstance(parts, list)
        or parts[:1] != [query.digest]
        or any("\x00" in str(part) for part in parts)
    ):
        raise BadCursor
    return parts[1:]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadCursor from error
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment
