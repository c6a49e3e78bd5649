"""Ways to index Khmer and English side by side, on the same rows with the same fields and weights.

The product's own way and its fallback are asked as the API asks them; the others index texts as they come, with
Typesense's dictionaries (`locale`), or segmented beforehand. Visibility is left to hydration for all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

from consumers.search import fallback, hydrate
from consumers.search.mapping import plain
from consumers.search.schema import KINDS, Kind, token
from consumers.search.searches import Searches
from consumers.search.store import Typesense
from consumers.search.tags import spellings
from consumers.search.text import index_words, normalise, query_words
from consumers.search.view import SearchView
from runtime.access import Scope
from runtime.postgres import Connection

#: Results that count.
TOP: Final = 10
Found = dict[Kind, list[str]]

_WEIGHTS: Final = {"title": 8, "tags": 6, "names": 4, "content": 2}
_AT_A_TIME: Final = 500


class Way(Protocol):
    """One way to find documents."""

    name: str

    async def fill(self, rows: Mapping[Kind, Sequence[Mapping[str, Any]]]) -> None:
        """Index these rows of the truth."""

    async def ask(self, question: str) -> Found:
        """Keys of the best results of each kind, before hydration."""


@dataclass(slots=True)
class Index:
    """The product's own index and ranking."""

    view: SearchView
    scope: Scope
    name: str = "index"

    async def fill(self, rows: Mapping[Kind, Sequence[Mapping[str, Any]]]) -> None:
        """Filled by the projection."""

    async def ask(self, question: str) -> Found:
        """As GET /search does."""
        return await self.view.search(KINDS, question, self.scope, (), TOP + 10)


@dataclass(slots=True)
class Fallback:
    """The product in PostgreSQL alone."""

    conn: Connection
    scope: Scope
    name: str = "fallback"

    async def fill(self, rows: Mapping[Kind, Sequence[Mapping[str, Any]]]) -> None:
        """The rows are there."""

    async def ask(self, question: str) -> Found:
        """As GET /search does without Typesense."""
        async with self.conn.transaction():
            return await fallback.search(self.conn, KINDS, question, self.scope, TOP)


@dataclass(slots=True)
class Texts:
    """Typesense with its own parameters over texts in some form."""

    name: str
    store: Typesense
    searches: Searches
    write: Callable[[str], str] = normalise
    read: Callable[[str], str] = normalise
    options: Mapping[str, Any] = field(default_factory=dict)

    async def fill(self, rows: Mapping[Kind, Sequence[Mapping[str, Any]]]) -> None:
        """Make the collections and import the texts of the rows."""
        fields = [{"name": name, "type": "string", **self.options} for name in _WEIGHTS]
        for kind in KINDS:
            await self.store.create({"name": self._collection(kind), "fields": fields})
            documents = [
                {"id": token(row["id"]), "key": row["id"], **{k: self.write(v) for k, v in raw(row).items()}}
                for row in rows[kind]
            ]
            for start in range(0, len(documents), _AT_A_TIME):
                await self.store.upsert(self._collection(kind), documents[start : start + _AT_A_TIME])

    async def ask(self, question: str) -> Found:
        """All collections in one round trip; without a visibility filter more hits have to be asked for."""
        asked = self.read(question)
        if not asked.strip():
            return {kind: [] for kind in KINDS}
        search = {
            "q": asked,
            "query_by": ",".join(_WEIGHTS),
            "query_by_weights": ",".join(map(str, _WEIGHTS.values())),
            "per_page": 100,
            "include_fields": "key",
            "highlight_fields": "none",
            "highlight_full_fields": "none",
        }
        answers = await self.searches.ask(
            [{**search, "collection": self._collection(kind)} for kind in KINDS]
        )
        return {
            kind: [hit["key"] for hit in answer.documents]
            for kind, answer in zip(KINDS, answers, strict=True)
        }

    def _collection(self, kind: Kind) -> str:
        return f"quality_{self.name.replace(' ', '_')}_{kind}"


def candidates(store: Typesense, searches: Searches) -> Iterable[Texts]:
    """What the product's way is compared with; a segmenter only where one is installed."""
    yield Texts("as typed", store, searches)
    yield Texts("locale km", store, searches, options={"locale": "km"})
    yield Texts("locale th", store, searches, options={"locale": "th"})
    if find_spec("khmercut"):
        segment = _segmenter()
        yield Texts("segmented", store, searches, segment, segment)
    yield Texts("pairs alone", store, searches, index_words, lambda text: " ".join(query_words(text)))


def _segmenter() -> Callable[[str], str]:
    tokenize = import_module("khmercut").tokenize
    return lambda text: " ".join(word for word in tokenize(normalise(text)) if word.strip()) if text else ""


def raw(row: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a row of any kind, by field, as people wrote them."""
    title = row.get("title") or row.get("name") or ""
    translations = [row.get("titleTranslations"), row.get("descriptionTranslations")]
    titles, descriptions = (list(one.values()) if one else [] for one in translations)
    tags = [*(row.get("topicTags") or row.get("tags") or ()), *(row.get("interests") or ())]
    about = [row.get(name) or "" for name in ("content", "description", "category", "subject", "headline")]
    people = [row.get(name) or "" for name in ("lastName", "firstName", "lastName")]
    latin = [row.get(name) or "" for name in ("englishLastName", "englishFirstName", "englishLastName")]
    return {
        "title": " ".join([title, *titles]),
        "tags": " ".join(word for tag in tags for word in (tag, *spellings(tag))),
        "names": " ".join([*people, *latin, row.get("username") or ""]),
        "content": plain("\n".join([*about, *descriptions])),
    }


async def shown(conn: Connection, scope: Scope, found: Found) -> Found:
    """What of it the viewer gets to see."""
    return {
        kind: [card["id"] for card in await hydrate.cards(conn, kind, scope, keys)][:TOP]
        for kind, keys in found.items()
    }
