"""The read side in Typesense: ranked keys for a viewer.

What they look like, and whether they may be seen after all, is read from PostgreSQL in `hydrate.py`; where Typesense
does not answer, `fallback.py` does.
Texts are asked for in the form of `text.py`; filters are made of tokens (`visible.py`). Counts of hits stay inside:
the index may be behind, so a number of it is nothing to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from consumers.search import schema
from consumers.search.request import PostQuery
from consumers.search.schema import Kind, token
from consumers.search.store import Typesense
from consumers.search.text import query_words
from consumers.search.visible import filter_by
from runtime.access import Scope

#: Most hits that Typesense gives at once.
_MOST: Final = 250
#: A query that nobody waits for any more must not keep the server busy.
_CUTOFF_MS: Final = 400


class SearchView:
    """Searches the four collections behind the aliases of `prefix`."""

    def __init__(self, store: Typesense, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    async def posts(
        self, query: PostQuery, scope: Scope, first: int, count: int, until: int | None = None
    ) -> list[str]:
        """Keys of the hits `first` up to `first + count`, of posts made not later than `until`.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        words = query_words(query.search or "")
        if not words:
            return []
        search = self._search("posts", words, scope, filters=_post_filters(query, until))
        pages = _pages(first, count)
        answers = await self._store.search(
            [{**search, "page": page, "per_page": size} for page, size in pages]
        )
        start = (pages[0][0] - 1) * pages[0][1]
        keys = [hit["key"] for answer in answers for hit in answer.documents]
        return keys[first - start : first - start + count]

    async def search(
        self, kinds: Sequence[Kind], text: str, scope: Scope, clubs: Sequence[str], limit: int
    ) -> dict[Kind, list[str]]:
        """Keys of the best hits of several collections, in one round trip.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        return await self._several(kinds, text, scope, clubs, limit, schema.QUERY_BY)

    async def suggest(
        self, text: str, scope: Scope, clubs: Sequence[str], limit: int
    ) -> dict[Kind, list[str]]:
        """Keys of what begins with these words, by titles, names and tags alone.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        return await self._several(schema.KINDS, text, scope, clubs, limit, schema.SUGGEST_BY)

    async def _several(
        self,
        kinds: Sequence[Kind],
        text: str,
        scope: Scope,
        clubs: Sequence[str],
        limit: int,
        fields: dict[Kind, tuple[tuple[str, int], ...]],
    ) -> dict[Kind, list[str]]:
        words = query_words(text)
        if not words:
            return {kind: [] for kind in kinds}
        searches = [self._search(kind, words, scope, clubs=clubs, fields=fields[kind]) for kind in kinds]
        answers = await self._store.search([{**one, "per_page": limit} for one in searches])
        return {
            kind: [hit["key"] for hit in answer.documents]
            for kind, answer in zip(kinds, answers, strict=True)
        }

    def _search(
        self,
        kind: Kind,
        words: Sequence[str],
        scope: Scope,
        *,
        clubs: Sequence[str] = (),
        filters: Sequence[str] = (),
        fields: tuple[tuple[str, int], ...] | None = None,
    ) -> dict[str, Any]:
        fields = fields or schema.QUERY_BY[kind]
        return {
            "collection": schema.alias(self._prefix, kind),
            "q": " ".join(words),
            "query_by": ",".join(name for name, _ in fields),
            "query_by_weights": ",".join(str(weight) for _, weight in fields),
            "filter_by": " && ".join([filter_by(kind, scope, clubs), *filters]),
            "sort_by": schema.SORT_BY,
            "include_fields": "key",
            "highlight_fields": "none",
            "highlight_full_fields": "none",
            "search_cutoff_ms": _CUTOFF_MS,
        }


def _post_filters(query: PostQuery, until: int | None) -> list[str]:
    """The caller's own filters; a post type that is not a plain word matches nothing."""
    filters = []
    if query.school_id is not None:
        filters.append(f"school:=`{token(query.school_id)}`")
    if query.post_type is not None:
        filters.append(f"postType:=`{query.post_type if query.post_type.isidentifier() else token('')}`")
    if until is not None:
        filters.append(f"createdAt:<={until}")
    return filters


def _pages(first: int, count: int) -> list[tuple[int, int]]:
    """The (page, size) pairs that cover these hits: 0.24 knows no offset."""
    if first + count <= _MOST:
        return [(1, first + count)]
    return [(page + 1, _MOST) for page in range(first // _MOST, (first + count - 1) // _MOST + 1)]
