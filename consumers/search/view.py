"""The read side in Typesense: ranked keys for a viewer.

What they look like, and whether they may be seen after all, is read from PostgreSQL in `hydrate.py`; where Typesense
does not answer, `fallback.py` does. How a question is put is `asking.py`, in the form of `text.py`; how it is kept to
what the viewer may find, `narrowing.py`. Counts of hits stay inside: the index may be behind, so a number of it is
nothing to show.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers.search import asking, schema
from consumers.search.asking import Question
from consumers.search.narrowing import MOST_HITS, Narrowed, Search
from consumers.search.request import PostQuery
from consumers.search.schema import Kind, token
from consumers.search.searches import Searches
from consumers.search.tags import canonical
from consumers.search.text import query_words
from runtime.access import Scope


class SearchView:
    """Searches the four collections behind the aliases of `prefix`."""

    def __init__(self, searches: Searches, prefix: str) -> None:
        self._narrowed = Narrowed(searches, prefix)

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
        filters = _post_filters(query)
        fields = schema.QUERY_BY["posts"]
        pages = _pages(first, count)
        answers = await self._narrowed.ask(
            [Search("posts", exact, fields, size, page, filters, until) for page, size in pages], scope
        )
        if not answers[0].found:
            found = await self._leniently(["posts"], text, scope, filters=filters, until=until)
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
        searches = [Search(kind, exact, schema.QUERY_BY[kind], limit) for kind in kinds]
        found = dict(zip(kinds, await self._keys(searches, scope, clubs), strict=True))
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
        searches = [Search(kind, begun, schema.SUGGEST_BY[kind], limit) for kind in schema.KINDS]
        return dict(zip(schema.KINDS, await self._keys(searches, scope, clubs), strict=True))

    async def _leniently(
        self,
        kinds: Sequence[Kind],
        text: str,
        scope: Scope,
        *,
        clubs: Sequence[str] = (),
        filters: tuple[str, ...] = (),
        until: int | None = None,
    ) -> dict[Kind, list[str]]:
        """What is nearly like the question: a round trip more for each group that has nothing, three at most."""
        *alike, partly = asking.leniently(text)
        for questions, merge in (*((one, asking.in_turn) for one in alike), (partly, asking.by_agreement)):
            if not questions:
                continue
            searches = [
                Search(kind, one, _fields(kind, one), asking.LENIENT_HITS, filters=filters, until=until)
                for kind in kinds
                for one in questions
            ]
            answers = await self._keys(searches, scope, clubs)
            size = len(questions)
            found = {kind: merge(answers[at * size : (at + 1) * size]) for at, kind in enumerate(kinds)}
            if any(found.values()):
                return found
        return {kind: [] for kind in kinds}

    async def _keys(self, searches: Sequence[Search], scope: Scope, clubs: Sequence[str]) -> list[list[str]]:
        answers = await self._narrowed.ask(searches, scope, clubs)
        return [[hit["key"] for hit in answer.documents] for answer in answers]


def _fields(kind: Kind, question: Question) -> tuple[tuple[str, int], ...]:
    return schema.SOUNDS_BY if question.sounds else schema.QUERY_BY[kind]


def _post_filters(query: PostQuery) -> tuple[str, ...]:
    """The caller's own filters; a post type that is not a plain word matches nothing."""
    filters = []
    if query.school_id is not None:
        filters.append(f"school:=`{token(query.school_id)}`")
    if query.post_type is not None:
        filters.append(f"postType:=`{query.post_type if query.post_type.isidentifier() else token('')}`")
    if query.tag is not None:  # letters and digits are all that is left of it
        filters.append(f"tags:=`{canonical(query.tag) or token('')}`")
    return tuple(filters)


def _pages(first: int, count: int) -> list[tuple[int, int]]:
    """The (page, size) pairs that cover these hits: 0.24 knows no offset."""
    if first + count <= MOST_HITS:
        return [(1, first + count)]
    return [(page + 1, MOST_HITS) for page in range(first // MOST_HITS, (first + count - 1) // MOST_HITS + 1)]
