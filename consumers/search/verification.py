"""Comparing the index with the truth, document by document, and having single documents mended.

What should be there is said by `expected.py`; the documents come from Typesense's export, in whose order and pace
they are digested. A document under a wrong id can be written by no consumer: it is removed here, by that id; all else
is mended by the consumer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from consumers.engine.comparison import BUCKET_SQL, Item, Selection, compare_sides, digest_of
from consumers.engine.pace import Pace
from consumers.engine.passing import Passing
from consumers.engine.repair.requests import Request, ask
from consumers.engine.verification import Differences, Key, Look, Settle, confirm
from consumers.search import schema
from consumers.search.connection import NotThere
from consumers.search.digests import Crew, crew
from consumers.search.expected import comparable
from consumers.search.schema import KINDS, Document, Kind, token
from consumers.search.store import Typesense, open_typesense
from runtime.errors import ConfigurationError, Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_dicts
from runtime.settings import Settings
from runtime.statements import load

_SQL: Final = {
    kind: text.replace("{BUCKET}", BUCKET_SQL.format("p.id"))
    for kind, text in load(Path(__file__).parent / "sql" / "expected.sql").items()
}
_TOPIC: Final[dict[Kind, str]] = {"posts": "post", "users": "user", "clubs": "club", "courses": "course"}
_PAGE: Final = 2000
#: So many documents are fetched at a time by their ids, which stand in the address.
_BY_ID: Final = 50
#: Pages that are digested while the next one is read.
_AHEAD: Final = 4
#: Before an id under which no document should be.
_STRAY: Final = "#"
_TIMEOUT: Final = 60.0


class SearchVerifier:
    """The four collections against posts, users, study_clubs and courses."""

    name: ClassVar[str] = "search"

    def __init__(self, store: Typesense, pool: Pool, prefix: str, pace: Pace) -> None:
        self._store = store
        self._pool = pool
        self._prefix = prefix
        self._pace = pace

    async def compare(self, target: str | None = None, *, settle: Settle | None = None) -> Differences:
        """See `Verifier`. A target is the prefix of the collections that a rebuild fills."""
        async with crew(helped=not self._pace.is_bound) as hands:

            async def look(only: Collection[Key] | None) -> Look:
                found = Look()
                for kind in KINDS:
                    name = schema.alias(target or self._prefix, kind)
                    sides = _Sides(self._store, self._pool, kind, name, self._pace, hands)
                    found.add(await compare_sides(kind, sides.wanted, sides.held, only))
                return found

            return await confirm(self.name, look, settle or Passing(self._pool, self.name, counted=True))

    async def repair(self, differences: Differences) -> int:
        """See `Verifier`."""
        strays = [key for key in differences.every() if key.id.startswith(_STRAY)]
        for key in strays:
            await self._store.delete(schema.alias(self._prefix, _kind(key)), [key.id.removeprefix(_STRAY)])
        rest = sorted(differences.every() - set(strays))
        requests = [Request(topic := _TOPIC[_kind(key)], f"{topic}.updated.v1", key.id) for key in rest]
        return len(strays) + await ask(self._pool, self.name, requests)


class _Sides:
    """One collection, and what should be in it, as (key, digest)."""

    def __init__(
        self, store: Typesense, pool: Pool, kind: Kind, collection: str, pace: Pace, crew: Crew
    ) -> None:
        self._store = store
        self._pool = pool
        self._crew = crew
        self._kind = kind
        self._collection = collection
        self._pace = pace

    async def wanted(self, selection: Selection) -> AsyncIterator[Iterable[Item]]:
        """From the truth."""
        ahead: deque[asyncio.Future[list[Item]]] = deque()
        async for rows in self._rows(selection):
            ahead.append(self._crew.begin(self._kind, rows, alone=len(rows) < _PAGE))
            if len(ahead) >= _AHEAD:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()

    async def _rows(self, selection: Selection) -> AsyncIterator[list[dict[str, Any]]]:
        after: str | None = ""
        while after is not None:
            params = {**selection.params(), "after": after, "most": _PAGE}
            try:
                async with self._pool.connection() as conn:
                    rows = await fetch_dicts(conn, _SQL[self._kind], params)
            except TRANSIENT as error:
                raise Retryable(f"PostgreSQL is away: {error}") from error
            await self._pace.spend(len(rows))
            yield rows
            after = rows[-1]["id"] if len(rows) == _PAGE else None

    async def held(self, selection: Selection) -> AsyncIterator[Iterable[Item]]:
        """From the index; nothing where there is no such collection."""
        try:
            if selection.is_everything:
                async for page in self._store.export(self._collection):
                    yield map(_item, page)
                return
            ids = await self._ids(selection)
            for start in range(0, len(ids), _BY_ID):
                chosen = f"id:[{','.join(ids[start : start + _BY_ID])}]"
                async for page in self._store.export(self._collection, filter_by=chosen):
                    yield map(_item, page)
        except NotThere:
            return

    async def _ids(self, selection: Selection) -> list[str]:
        """The ids of the documents that a selection takes; for buckets every id has to be looked at."""
        if selection.ids is not None:
            return list(map(_document_id, selection.ids))
        found = []
        async for page in self._store.export(self._collection, fields="id,key"):
            found += [one["id"] for one in page if selection.takes(_key(one))]
        return found


@asynccontextmanager
async def verifier(settings: Settings, pool: Pool, pace: Pace) -> AsyncIterator[SearchVerifier]:
    """The verifier of the index of these settings.

    Raises:
        ConfigurationError: Typesense is not configured.
    """
    if not settings.typesense_enabled:
        raise ConfigurationError("search needs TYPESENSE_HOST and TYPESENSE_API_KEY")
    async with open_typesense(settings, timeout=_TIMEOUT) as store:
        yield SearchVerifier(store, pool, settings.stream_prefix, pace)


def _item(document: Document) -> Item:
    return _key(document), digest_of(comparable(document))


def _key(document: Document) -> str:
    """The id of the thing that a document stands for; a document under a wrong id stands for nothing."""
    key = document.get("key")
    return key if isinstance(key, str) and token(key) == document["id"] else f"{_STRAY}{document['id']}"


def _document_id(key: str) -> str:
    """The document that stands for a key: the other way round."""
    return key.removeprefix(_STRAY) if key.startswith(_STRAY) else token(key)


def _kind(key: Key) -> Kind:
    return next(kind for kind in KINDS if kind == key.part)
