"""Asking Typesense for what one viewer may find: with a filter or, where that is dear, without.

Typesense 0.24 lists all documents of a filter before it looks for the words: 12 ms for half a million, whatever is
asked. A large collection is therefore asked for more hits than are wanted and for all documents; the hits that the
filter would have left out are left out here. Where too few remain, the question is put again with the filter, so that
nobody's answer depends on what only others may find. The rule in both forms is `visible.py`; what is asked, `view.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumers.search import schema
from consumers.search.asking import Question
from consumers.search.schema import Kind
from consumers.search.searches import Hits, Searches
from consumers.search.visible import Finder, filter_by
from runtime.access import Scope

#: Most hits that Typesense gives at once.
MOST_HITS: Final = 250
#: Documents from which on the filter costs more than the hits that are asked for in vain.
LARGE: Final = 200_000
#: Hits asked for without a filter, for each that is wanted.
_SPARE: Final = 2
#: A query that nobody waits for any more must not keep the server busy.
_CUTOFF_MS: Final = 400


@dataclass(frozen=True, slots=True)
class Search:
    """A question to one collection. `filters` are the caller's own; `until` leaves out what was made later (ms)."""

    kind: Kind
    question: Question
    fields: tuple[tuple[str, int], ...]
    per_page: int
    page: int = 1
    filters: tuple[str, ...] = ()
    until: int | None = None

    @property
    def may_be_wide(self) -> bool:
        """Whether documents that others may find leave the question as it is: it is not eased until enough is found."""
        strict = self.question.parameters.get("drop_tokens_threshold") == 0
        first = self.page == 1 and self.per_page * _SPARE <= MOST_HITS
        return strict and first and not self.filters and self.kind in ("posts", "users")


class Narrowed:
    """The four collections behind the aliases of `prefix`, as one viewer after another may search them."""

    def __init__(self, searches: Searches, prefix: str) -> None:
        self._searches = searches
        self._prefix = prefix
        self._sizes: dict[Kind, int] = {}

    async def ask(self, wanted: Sequence[Search], scope: Scope, clubs: Sequence[str] = ()) -> list[Hits]:
        """The hits of each that the viewer may find; two round trips at most.

        Raises:
            Retryable: Typesense is away, or has no collections yet.
        """
        wide = [one.may_be_wide and self._sizes.get(one.kind, 0) >= LARGE for one in wanted]
        answers = await self._searches.ask(
            [
                self._widely(one) if is_wide else self._narrowly(one, scope, clubs)
                for one, is_wide in zip(wanted, wide, strict=True)
            ]
        )
        self._sizes.update((one.kind, hits.out_of) for one, hits in zip(wanted, answers, strict=True))
        if not any(wide):
            return answers
        finder = Finder(scope)
        again = []
        for at, one in enumerate(wanted):
            if wide[at]:
                given = answers[at]
                answers[at] = _left(given, one, finder)
                if given.found and not _is_enough(answers[at], given, one):
                    again.append(at)
        if again:
            second = await self._searches.ask([self._narrowly(wanted[at], scope, clubs) for at in again])
            for at, hits in zip(again, second, strict=True):
                answers[at] = hits
        return answers

    def _narrowly(self, one: Search, scope: Scope, clubs: Sequence[str]) -> dict[str, Any]:
        filters = [filter_by(one.kind, scope, clubs), *one.filters]
        if one.until is not None:
            filters.append(f"createdAt:<={one.until}")
        return {**self._parameters(one), "filter_by": " && ".join(filters), "include_fields": "key"}

    def _widely(self, one: Search) -> dict[str, Any]:
        fields = "key,audience,owner,createdAt"
        return {**self._parameters(one), "per_page": one.per_page * _SPARE, "include_fields": fields}

    def _parameters(self, one: Search) -> dict[str, Any]:
        return {
            "collection": schema.alias(self._prefix, one.kind),
            "query_by": ",".join(name for name, _ in one.fields),
            "query_by_weights": ",".join(str(weight) for _, weight in one.fields),
            "sort_by": schema.SORT_BY,
            "highlight_fields": "none",
            "highlight_full_fields": "none",
            "search_cutoff_ms": _CUTOFF_MS,
            "per_page": one.per_page,
            "page": one.page,
            **one.question.parameters,
        }


def _left(given: Hits, one: Search, finder: Finder) -> Hits:
    """The hits that the filter would have left."""
    documents = [
        document
        for document in given.documents
        if finder.may_find(document) and (one.until is None or document["createdAt"] <= one.until)
    ]
    return Hits(documents[: one.per_page], len(documents), given.out_of)


def _is_enough(left: Hits, given: Hits, one: Search) -> bool:
    """Whether the filter would have given the same: a full page, or some of what is all there is.

    Where nothing is left it might have: Typesense forgives misspelt words only until something is found, and what it
    found may be for others.
    """
    whole = len(given.documents) == given.found
    return len(left.documents) == one.per_page or (whole and bool(left.documents))
