"""The same questions from the truth alone: shared words and tags instead of meaning, under the same rules.

Mutual follows and schoolmates are the view's exactly. What is alike is approximate: something about the same subject
in entirely other words is not found. Statements are in `sql/fallback.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from consumers.embeddings import cards
from consumers.embeddings.queries import TRUTH
from consumers.embeddings.suggestions import suggest
from consumers.engine.cards import hydrate_posts
from runtime.access import Scope
from runtime.http import Problem
from runtime.postgres import Connection, fetch_rows

_MAX_NEEDLES: Final = 10
_LATIN: Final = re.compile(r"[^\W\d_\u1780-\u17ff]{5,24}")
_KHMER: Final = re.compile(r"[\u1780-\u17b3\u17b6-\u17d3]{6,}")
#: Khmer has no spaces between words: pieces of about a word, overlapping by half.
_PIECE: Final = 8


async def similar(conn: Connection, scope: Scope, post_id: str, limit: int) -> list[cards.Card]:
    """Posts that share uncommon words or tags with one that the viewer may see.

    Raises:
        Problem: 404, there is no such post for this viewer.
    """
    params = {**scope.params(), "post": post_id, "limit": limit}
    rows = await fetch_rows(conn, TRUTH["source_post"], params)
    if not rows:
        raise Problem(404, detail="There is no such post.")
    title, content, tags = rows[0]
    tags = [tag for tag in tags or () if tag]
    params |= {"tags": tags, "folded": [tag.lower() for tag in tags]}
    params |= {"patterns": [f"%{needle}%" for needle in needles(f"{title or ''} {content}")]}
    ids = [row[0] for row in await fetch_rows(conn, TRUTH["similar_posts"], params)]
    return await hydrate_posts(conn, scope, ids)


async def suggestions(conn: Connection, scope: Scope, limit: int) -> list[cards.Card]:
    """People to follow; likeness by shared interests and skills."""

    async def alike() -> list[str]:
        rows = await fetch_rows(conn, TRUTH["people_alike"], {**scope.params(), "limit": limit})
        return [row[0] for row in rows]

    return await suggest(conn, scope, alike, limit)


async def courses(conn: Connection, scope: Scope, limit: int) -> list[cards.Card]:
    """Courses whose tags or category are the viewer's topics, then the most taken ones."""
    return await cards.courses(conn, scope, await _by_topics(conn, scope, "courses", limit))


async def quizzes(conn: Connection, scope: Scope, limit: int) -> list[cards.Card]:
    """Quizzes on the viewer's topics, then the newest ones."""
    return await cards.quizzes(conn, scope, await _by_topics(conn, scope, "quizzes", limit))


def needles(text: str) -> list[str]:
    """The parts of a text that are worth looking for: its longest words, and pieces of its Khmer runs.

    They consist of letters only, so they mean nothing special in a LIKE pattern.
    """
    words = {word.lower() for word in _LATIN.findall(text)}
    latin = sorted(words, key=lambda word: (-len(word), word))
    khmer = list(dict.fromkeys(_pieces(_KHMER.findall(text))))
    step = max(1, len(khmer) // _MAX_NEEDLES)
    return [*latin[:_MAX_NEEDLES], *khmer[::step][: max(0, _MAX_NEEDLES - len(latin[:_MAX_NEEDLES]) // 2)]]


def _pieces(runs: Iterable[str]) -> Iterable[str]:
    for run in runs:
        for start in range(0, max(1, len(run) - _PIECE + 1), _PIECE // 2):
            yield run[start : start + _PIECE]


async def _by_topics(conn: Connection, scope: Scope, name: str, limit: int) -> Sequence[str]:
    topics = [row[0] for row in await fetch_rows(conn, TRUTH["topics"], {"viewer": scope.viewer.id})]
    params = {**scope.params(), "topics": topics, "limit": limit}
    return [row[0] for row in await fetch_rows(conn, TRUTH[name], params)]
