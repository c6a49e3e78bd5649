"""Search from PostgreSQL alone: the keys that the index would give, when Typesense is missing, down or slow.

Same words, same visibility, same weights. First every term as it stands, by the trigram indexes of upstream where
they are; when that finds nothing, loosely: spaces inside Khmer, words that are only similar (typos), at last any one
of the terms, all within a time limit of its own. Stated tolerance against the index: a page is ranked among the
newest `CANDIDATES` matches; a word also matches as the beginning of a longer one; typos are forgiven only where
`pg_trgm` is installed; an author's name finds posts of at most 300 people; what `patterns.py` does not fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg

from consumers.search.conditions import AUTHOR_NAMES, FIELDS, Conditions, Field
from consumers.search.patterns import tag_variants
from consumers.search.request import PostQuery
from consumers.search.schema import KINDS, Kind
from consumers.search.text import terms
from runtime.access import CLUB_VISIBLE, COURSE_VISIBLE, PERSON_VISIBLE, POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

CANDIDATES: Final = 1000
#: Looking for similar words reads more rows; when it takes longer than this, there is nothing similar.
_LOOSE_TIMEOUT_MS: Final = 1500
_LOOSE_CANDIDATES: Final = 200
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
    exact = {**params, "candidates": CANDIDATES}
    keys = await _ask(conn, kind, fields, Conditions(words), exact)
    if not keys and params["first"]:  # past the end of exact results, or paging through loose ones?
        beginning = await _ask(conn, kind, fields, Conditions(words), {**exact, "first": 0, "count": 1})
        if beginning:
            return []
    if keys:
        return keys
    return await _find_loosely(conn, kind, fields, words, {**params, "candidates": _LOOSE_CANDIDATES})


async def _find_loosely(
    conn: Connection, kind: Kind, fields: Sequence[Field], words: Sequence[str], params: dict[str, Any]
) -> list[str]:
    attempts = [Conditions(words, loosely=True, similar=await _has_trigrams(conn))]
    if len(words) > 1:
        attempts.append(Conditions(words, any_term=True))
    try:
        async with conn.transaction():
            await conn.execute(
                "SELECT set_config('statement_timeout', %s, true), "
                "set_config('pg_trgm.word_similarity_threshold', %s, true)",
                (str(_LOOSE_TIMEOUT_MS), _SIMILARITY),
            )
            for conditions in attempts:
                if keys := await _ask(conn, kind, fields, conditions, params):
                    return keys
    except psycopg.errors.QueryCanceled:
        return []
    return []


async def _ask(
    conn: Connection, kind: Kind, fields: Sequence[Field], conditions: Conditions, params: dict[str, Any]
) -> list[str]:
    authors = await _authors(conn, conditions) if kind == "posts" else []
    matches = conditions.matches(fields, authors)
    if conditions.loosely and kind == "posts":
        # Else the planner walks the newest posts and measures how similar every one of them is, 0.1 ms each.
        matches = f"p.id = ANY (ARRAY(SELECT p.id FROM posts p WHERE {matches}))"  # noqa: S608 - constants alone
    query = (
        _SQL[kind]
        .replace("{VISIBLE}", _VISIBLE[kind])
        .replace("{MATCHES}", matches)
        .replace("{WEIGHT}", conditions.weight(fields))
    )
    return [row[0] for row in await fetch_rows(conn, query, {**params, **conditions.params})]


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
