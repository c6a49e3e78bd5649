"""Search from PostgreSQL alone: the keys that the index would give, when Typesense is missing, down or slow.

Same words, same visibility, same weights. First every term as it stands, by the trigram indexes of upstream where
they are; when that finds nothing, loosely: spaces inside Khmer, words that are only similar (typos), at last any one
of the terms. Posts are looked through from the newest to older ones, while there is time (`stretches.py`). Stated
tolerance against the index: newer stretches come first, and in each a page is ranked among the newest `CANDIDATES`
matches; what is long ago may be left out; a word also matches as the beginning of a longer one; typos are forgiven only
where `pg_trgm` is installed; an author's name finds posts of at most 300 people; what `patterns.py` does not fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from consumers.search.conditions import AUTHOR_NAMES, FIELDS, Conditions, Field
from consumers.search.patterns import tag_variants
from consumers.search.request import PostQuery
from consumers.search.schema import KINDS, Kind
from consumers.search.stretches import EXACTLY, LOOSELY, Stretch, newest_first, stretches
from consumers.search.text import terms
from runtime.access import CLUB_VISIBLE, COURSE_VISIBLE, PERSON_VISIBLE, POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

CANDIDATES: Final = 1000
_LOOSE_CANDIDATES: Final = 200
#: Older posts are looked at while less than this has passed: exactly, and in all.
_EXACT_MS: Final = 120
_IN_ALL_MS: Final = 250
_SIMILARITY: Final = "0.45"

_SQL: Final = load(Path(__file__).parent / "sql" / "fallback.sql")
_VISIBLE: Final[dict[Kind, str]] = {
    "posts": POST_VISIBLE,
    "users": PERSON_VISIBLE,
    "clubs": CLUB_VISIBLE,
    "courses": COURSE_VISIBLE,
}


async def posts(
    conn: Connection, query: PostQuery, scope: Scope, first: int, count: int, until: int | None = None
) -> list[str]:
    """Keys of the posts `first` up to `first + count` that a search finds, made not later than `until` (Unix ms)."""
    latest = None if until is None else datetime.fromtimestamp(until / 1000, UTC).replace(tzinfo=None)
    params = {
        "wanted_school": query.school_id,
        "wanted_type": query.post_type,
        "wanted_tags": None if query.tag is None else tag_variants([query.tag]),
        "until": latest,
        "first": first,
        "count": count,
    }
    return await _find(conn, "posts", query.search or "", FIELDS["posts"], {**scope.params(), **params})


async def search(
    conn: Connection, kinds: Sequence[Kind], text: str, scope: Scope, limit: int
) -> dict[Kind, list[str]]:
    """Keys of the best rows of several kinds."""
    params = {**scope.params(), **_no_filters(limit)}
    return {kind: await _find(conn, kind, text, FIELDS[kind], params) for kind in kinds}


async def suggest(conn: Connection, text: str, scope: Scope, limit: int) -> dict[Kind, list[str]]:
    """Keys of what begins with these words, by titles, names, and tags of the newest posts alone."""
    params = {**scope.params(), **_no_filters(limit)}
    shown = {kind: [one for one in FIELDS[kind] if one.suggests] for kind in KINDS}
    found = {kind: await _find(conn, kind, text, shown[kind], params) for kind in KINDS}
    found["posts"] += await _tagged(conn, text, params)
    return found


async def _tagged(conn: Connection, text: str, params: dict[str, Any]) -> list[str]:
    conditions = Conditions(terms(text))
    if not conditions.terms:
        return []
    matches = conditions.matches([Field("tag", 1)])
    query = _SQL["tagged"].replace("{VISIBLE}", POST_VISIBLE).replace("{MATCHES}", matches)
    return [row[0] for row in await fetch_rows(conn, query, {**params, **conditions.params})]


def _no_filters(limit: int) -> dict[str, Any]:
    return {
        "wanted_school": None,
        "wanted_type": None,
        "wanted_tags": None,
        "until": None,
        "first": 0,
        "count": limit,
    }


async def _find(
    conn: Connection, kind: Kind, text: str, fields: Sequence[Field], params: dict[str, Any]
) -> list[str]:
    words = terms(text)
    if not words:
        return []
    first, wanted = params["first"], params["first"] + params["count"]
    began = monotonic()

    async def found(
        conditions: Conditions, sizes: Sequence[int], candidates: int, within_ms: int
    ) -> list[str]:
        parts = await stretches(conn, sizes if kind == "posts" else (), params["until"])
        query = await _query(conn, kind, fields, conditions)
        fixed = {**params, **conditions.params, "candidates": candidates}

        async def ask(part: Stretch, most: int) -> list[str]:
            asked = {"since": part.since, "until": part.until, "first": 0, "count": most}
            rows = await fetch_rows(conn, query, {**fixed, **asked})
            return [row[0] for row in rows]

        return await newest_first(conn, parts, wanted, began + within_ms / 1000, ask)

    keys = await found(Conditions(words), EXACTLY, CANDIDATES, _EXACT_MS)
    if not keys:
        await conn.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", (_SIMILARITY,))
        similar = Conditions(words, loosely=True, similar=await _has_trigrams(conn))
        keys = await found(similar, LOOSELY, _LOOSE_CANDIDATES, _IN_ALL_MS)
    if not keys and len(words) > 1:
        keys = await found(Conditions(words, any_term=True), LOOSELY, _LOOSE_CANDIDATES, _IN_ALL_MS)
    return keys[first:]


async def _query(conn: Connection, kind: Kind, fields: Sequence[Field], conditions: Conditions) -> str:
    """The statement; `conditions.params` belong to it."""
    authors = await _authors(conn, conditions) if kind == "posts" else []
    return (
        _SQL[kind]
        .replace("{VISIBLE}", _VISIBLE[kind])
        .replace("{MATCHES}", conditions.matches(fields, authors))
        .replace("{WEIGHT}", conditions.weight(fields))
    )


async def _authors(conn: Connection, conditions: Conditions) -> list[list[str]]:
    """For each term, the people who are called so."""
    conditions.matches(())
    found = []
    for number in range(len(conditions.terms)):
        query = _SQL["authors"].replace("{MATCHES}", conditions.text_matches(AUTHOR_NAMES, number))
        found.append([row[0] for row in await fetch_rows(conn, query, conditions.params)])
    return found


async def _has_trigrams(conn: Connection) -> bool:
    rows = await fetch_rows(conn, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')")
    return bool(rows[0][0])
