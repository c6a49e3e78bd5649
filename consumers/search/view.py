"""The read side in Typesense: ranked keys for a viewer.

What they look like, and whether they may be seen after all, is read from PostgreSQL in `hydrate.py`; where Typesense
does not answer, `fallback.py` does. How a question is put is `asking.py`, in the form of `text.py`; filters are made
of tokens (`visible.py`). Counts of hits stay inside: the index may be behind, so a number of it is nothing to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from consumers.search import asking, schema
from consumers.search.asking import Question
from consumers.search.request import PostQuery
from consumers.search.schema import Kind, token
from consumers.search.searches import Searches
from consumers.search.tags import canonical
from consumers.search.text import query_words
from consumers.search.visible import filter_by
from runtime.access import Scope

#: Most hits that Typesense gives at once.
_MOST: Final = 250
#: A query that nobody waits for any more must not keep the server busy.
_CUTOFF_MS: Final = 400


class SearchView:
    """Searches the four collections behind the aliases of `prefix`."""

    def __init__(self, searches: Searches, prefix: str) -> None:
        self._searches = searches
        self._prefix = prefix

    async def posts(
        self, query: PostQuery, scope: Scope, first: int, count: int, until: int | None = None
    ) -> list[str]:
        """Keys of the hits `first` up to `first + count`, of posts made not later than `until`.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        text = query.search or ""
        exact = asking.exactly(text)
        if exact is None:
            return []
        filters = _post_filters(query, until)
        search = self._search("posts", exact, scope, filters=filters)
        pages = _pages(first, count)
        answers = await self._searches.ask(
            [{**search, "page": page, "per_page": size} for page, size in pages]
        )
        if not answers[0].found:
            found = await self._leniently(["posts"], text, scope, filters=filters)
            return found["posts"][first : first + count]
        start = (pages[0][0] - 1) * pages[0][1]
        keys = [hit["key"] for answer in answers for hit in answer.documents]
        return keys[first - start : first - start + count]

    async def search(
        self, kinds: Sequence[Kind], text: str, scope: Scope, clubs: Sequence[str], limit: int
    ) -> dict[Kind, list[str]]:
        """Keys of the best hits of several collections, in one round trip; more when nothing is spelled like that.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        exact = asking.exactly(text)
        if exact is None:
            return {kind: [] for kind in kinds}
        searches = [{**self._search(kind, exact, scope, clubs=clubs), "per_page": limit} for kind in kinds]
        found = dict(zip(kinds, await self._keys(searches), strict=True))
        if any(found.values()):
            return found
        found = await self._leniently(kinds, text, scope, clubs=clubs)
        return {kind: keys[:limit] for kind, keys in found.items()}

    async def suggest(
        self, text: str, scope: Scope, clubs: Sequence[str], limit: int
    ) -> dict[Kind, list[str]]:
        """Keys of what begins with these words, by titles, names and tags alone.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        words = query_words(text)
        if not words:
            return {kind: [] for kind in schema.KINDS}
        begun = Question({"q": " ".join(words)})
        searches = [
            self._search(kind, begun, scope, clubs=clubs, fields=schema.SUGGEST_BY[kind])
            for kind in schema.KINDS
        ]
        answers = await self._keys([{**one, "per_page": limit} for one in searches])
        return dict(zip(schema.KINDS, answers, strict=True))

    async def _leniently(
        self,
        kinds: Sequence[Kind],
        text: str,
        scope: Scope,
        *,
        clubs: Sequence[str] = (),
        filters: Sequence[str] = (),
    ) -> dict[Kind, list[str]]:
        """What is nearly like the question: a round trip more for each group that has nothing, three at most."""
        *alike, partly = asking.leniently(text)
        for questions, merge in (*((one, asking.in_turn) for one in alike), (partly, asking.by_agreement)):
            if not questions:
                continue
            searches = [
                self._search(kind, one, scope, clubs=clubs, filters=filters)
                for kind in kinds
                for one in questions
            ]
            answers = await self._keys([{**one, "per_page": asking.LENIENT_HITS} for one in searches])
            size = len(questions)
            found = {kind: merge(answers[at * size : (at + 1) * size]) for at, kind in enumerate(kinds)}
            if any(found.values()):
                return found
        return {kind: [] for kind in kinds}

    async def _keys(self, searches: Sequence[dict[str, Any]]) -> list[list[str]]:
        return [[hit["key"] for hit in answer.documents] for answer in await self._searches.ask(searches)]

    def _search(
        self,
        kind: Kind,
        question: Question,
        scope: Scope,
        *,
        clubs: Sequence[str] = (),
        filters: Sequence[str] = (),
        fields: tuple[tuple[str, int], ...] | None = None,
    ) -> dict[str, Any]:
        fields = schema.SOUNDS_BY if question.sounds else fields or schema.QUERY_BY[kind]
        return {
            "collection": schema.alias(self._prefix, kind),
            "query_by": ",".join(name for name, _ in fields),
            "query_by_weights": ",".join(str(weight) for _, weight in fields),
            "filter_by": " && ".join([filter_by(kind, scope, clubs), *filters]),
            "sort_by": schema.SORT_BY,
            "include_fields": "key",
            "highlight_fields": "none",
            "highlight_full_fields": "none",
            "search_cutoff_ms": _CUTOFF_MS,
            **question.parameters,
        }


def _post_filters(query: PostQuery, until: int | None) -> list[str]:
    """The caller's own filters; a post type that is not a plain word matches nothing."""
    filters = []
    if query.school_id is not None:
        filters.append(f"school:=`{token(query.school_id)}`")
    if query.post_type is not None:
        filters.append(f"postType:=`{query.post_type if query.post_type.isidentifier() else token('')}`")
    if query.tag is not None:  # letters and digits are all that is left of it
        filters.append(f"tags:=`{canonical(query.tag) or token('')}`")
    if until is not None:
        filters.append(f"createdAt:<={until}")
    return filters


def _pages(first: int, count: int) -> list[tuple[int, int]]:
    """The (page, size) pairs that cover these hits: 0.24 knows no offset."""
    if first + count <= _MOST:
        return [(1, first + count)]
    return [(page + 1, _MOST) for page in range(first // _MOST, (first + count - 1) // _MOST + 1)]
