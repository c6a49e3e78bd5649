"""The viewer's half of the visibility rule in the index: a filter made of their scope, and the same for a document.

It narrows what Typesense ranks; `hydrate.py` decides in PostgreSQL what leaves. Every value in a filter is a token
of letters and digits (`schema.token`) between backticks, so there is nothing to escape and nothing to inject.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consumers.search.mapping import classmates_audience, personal_audience, school_audience
from consumers.search.schema import EVERYBODY, Document, Kind, token
from runtime.access import Scope


def filter_by(kind: Kind, scope: Scope, clubs: Sequence[str] = ()) -> str:
    """The filter under which a viewer searches one collection; `clubs` are those that they are a member of."""
    if kind in ("posts", "users"):
        return narrowed(_audiences(scope), scope.blocked)
    if kind == "clubs" and clubs:
        return f"({narrowed(_audiences(scope))} || id:={_list(map(token, clubs))})"
    return narrowed(_audiences(scope))


def narrowed(audiences: Iterable[str], blocked: Sequence[str] = ()) -> str:
    """The filter for documents that one of these may find and none of the blocked owns.

    `:` finds documents that have the word, `:=` looks at every one of them whether it is the whole value, which takes
    longer than all the rest of a search. A token is one word, so both are the same.
    """
    audience = f"audience:{_list(audiences)}"
    return f"{audience} && owner:!={_list(map(token, blocked))}" if blocked else audience


class Finder:
    """What the filter of posts and people says, said of one document."""

    def __init__(self, scope: Scope) -> None:
        self._audiences = frozenset(_audiences(scope))
        self._blocked = frozenset(map(token, scope.blocked))

    def may_find(self, document: Document) -> bool:
        """Whether the filter lets it through; `audience` and `owner` are looked at."""
        return not self._audiences.isdisjoint(document["audience"]) and document["owner"] not in self._blocked


def _audiences(scope: Scope) -> Iterable[str]:
    yield EVERYBODY
    yield personal_audience(scope.viewer.id)
    if scope.viewer.school_id is not None:
        yield school_audience(scope.viewer.school_id)
    yield from map(classmates_audience, scope.classmates)


def _list(tokens: Iterable[str]) -> str:
    return f"[{','.join(f'`{one}`' for one in tokens)}]"
