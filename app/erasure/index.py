"""Typesense: documents of the person that no event reaches, in whatever collection of ours they are.

The consumer deletes what it knows of when the deletion comes by. What is searched here are all collections under our
prefix: kept ones of a rebuild, ones that were restored from an older copy, the checkpoint's journal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import orjson

from app.erasure.person import Person
from consumers.search.schema import Document, token
from consumers.search.store import Typesense

#: A journal of keys that are being written: not ours to delete, and over in a moment.
_JOURNAL: Final = "_checkpoint"


class Index:
    """All collections under one prefix."""

    def __init__(self, store: Typesense, prefix: str, person: Person) -> None:
        self._store = store
        self._prefix = prefix
        self._person = person
        self._token = token(person.id)

    async def forget(self) -> int:
        """Delete what mentions the person; how many documents."""
        removed = 0
        for collection in await self._collections():
            if collection.endswith(_JOURNAL):
                continue
            ids = [one["id"] async for one in self._mentioning(collection)]
            await self._store.delete(collection, ids)
            removed += len(ids)
        return removed

    async def traces(self) -> dict[str, int]:
        """How many documents of which collection still mention the person."""
        found = {}
        for collection in await self._collections():
            if count := len([one async for one in self._mentioning(collection)]):
                found[f"typesense {collection}"] = count
        return found

    async def _collections(self) -> list[str]:
        return sorted(name for name in await self._store.collections() if name.startswith(f"{self._prefix}_"))

    async def _mentioning(self, collection: str) -> AsyncIterator[Document]:
        """By the id itself, or by the token that stands for it (`schema.token`), alone or in an audience."""
        async for page in self._store.export(collection):
            for document in page:
                text = orjson.dumps(document)
                tokens = (document.get("id"), document.get("owner"), *document.get("audience", ()))
                if self._token in tokens or f"u{self._token}" in tokens or self._person.is_in(text):
                    yield document
