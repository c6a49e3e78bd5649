"""Where a reader stands, in a ranked list or in chronological order. Pure; opaque to clients, checked when it returns.

A ranked cursor names its session. It also carries a short hash of every post shown so far, so that a list which Redis
has lost is ranked again as of the same moment without what was shown: nothing repeats and nothing is skipped, with
Redis or without. After the last ranked post the reader goes on in chronological order, past the same hashes.

The text is `v1.` and base64url of a JSON list, a zero byte, and the hashes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consumers.feeds.pools import Mode
from consumers.feeds.ranking import SESSION_SIZE

_PREFIX: Final = "v1."
_HASH_BYTES: Final = 5
_MOST_CHARS: Final = 4096
_LATEST_MS: Final = 253_402_300_799_999
_SESSION: Final = re.compile(r"[0-9a-f]{0,32}")


class BadCursor(ValueError):
    """Not a cursor of ours."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post stands in chronological order."""

    pinned: bool
    created_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class RankedCursor:
    """The next place in a session."""

    mode: Mode
    session: str
    offset: int
    ranked_at_ms: int
    shown: bytes


@dataclass(frozen=True, slots=True)
class RecentCursor:
    """The last place in chronological order; None at its beginning. `shown` was shown as ranked before."""

    mode: Mode
    after: Place | None
    shown: bytes = b""
    ranked_at_ms: int = 0


Cursor = RankedCursor | RecentCursor


def add_shown(shown: bytes, ids: Iterable[str]) -> bytes:
    """The hashes of some more posts."""
    return shown + b"".join(_hash(post) for post in ids)


def shown_set(shown: bytes) -> frozenset[bytes]:
    """The hashes of a cursor, to look up."""
    return frozenset(shown[place : place + _HASH_BYTES] for place in range(0, len(shown), _HASH_BYTES))


def was_shown(post: str, shown: frozenset[bytes]) -> bool:
    """Whether a post is among them."""
    return _hash(post) in shown


def encode(cursor: Cursor) -> str:
    """The text that a client sends back."""
    rest: list[Any]
    if isinstance(cursor, RankedCursor):
        rest = [cursor.session, cursor.offset]
    else:
        after = cursor.after
        rest = [[int(after.pinned), after.created_ms, after.id] if after else None]
    head = orjson.dumps([cursor.mode.value, cursor.ranked_at_ms, *rest])
    return _PREFIX + base64.urlsafe_b64encode(head + b"\0" + cursor.shown).decode().rstrip("=")


def decode(text: str, mode: Mode) -> Cursor:
    """The cursor behind a text that a client sent for this mode.

    Raises:
        BadCursor: it is not one, or belongs to another mode.
    """
    (mode_name, at, *rest), shown = _parts(text)
    if mode_name != mode.value:
        raise BadCursor("a cursor of another mode")
    if not (isinstance(at, int) and 0 <= at <= _LATEST_MS):
        raise BadCursor("not a cursor")
    if len(shown) % _HASH_BYTES or len(shown) > SESSION_SIZE * _HASH_BYTES:
        raise BadCursor("not a cursor")
    match rest:
        case [str(session), int(offset)] if _SESSION.fullmatch(session) and 0 <= offset <= SESSION_SIZE:
            return RankedCursor(mode, session, offset, at, shown)
        case [None]:
            return RecentCursor(mode, None, shown, at)
        case [[0 | 1 as pinned, int(created), str(post)]] if (
            0 <= created <= _LATEST_MS and "\x00" not in post
        ):
            return RecentCursor(mode, Place(bool(pinned), created, post), shown, at)
    raise BadCursor("not a cursor")


def _parts(text: str) -> tuple[list[Any], bytes]:
    if not text.startswith(_PREFIX) or len(text) > _MOST_CHARS:
        raise BadCursor("not a cursor")
    body = text.removeprefix(_PREFIX)
    try:
        head, _, shown = base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True).partition(
            b"\0"
        )
        fields = orjson.loads(head)
    except ValueError as error:
        raise BadCursor("not a cursor") from error
    if not isinstance(fields, list) or len(fields) not in (3, 4):
        raise BadCursor("not a cursor")
    return fields, shown


def _hash(post: str) -> bytes:
    return hashlib.blake2b(post.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
