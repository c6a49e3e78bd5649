"""Typesense over HTTP, but for searching (`searches.py`) and keys (`keys.py`): answers checked, errors translated once.

Everything that waiting can mend leaves as `Retryable` (no connection, timeout, 503 "Not Ready or Lagging", no memory
or disk left, a collection that `prepare` has yet to make); a document that will never fit comes back as `Refused`.
What is in the documents is `mapping.py`; which collections there are is `schema.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

import aiohttp
import orjson

from consumers.search.connection import AWAY, PASSING, error_of, exchange, session, unreachable
from consumers.search.lines import line_of
from consumers.search.schema import Document
from runtime.errors import Retryable
from runtime.settings import Settings

#: Import requests stay below this, so that one of them neither lasts long nor needs much memory.
IMPORT_BYTES: Final = 4 * 1024 * 1024
_TOLD_CHARS: Final = 80
#: Deletes carry their ids in the address, which 0.24 and proxies in front of it keep short.
DELETE_IDS: Final = 50

#: What is said of a document that was written.
_TAKEN: Final = b'{"success":true}'


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that Typesense will never take, and why."""

    document: Document
    reason: str

    def told(self) -> str:
        """Both, for whoever has to look at it: long texts cut, for they can be read in the truth."""
        cut = {
            name: f"{value[:_TOLD_CHARS]}…" if isinstance(value, str) and len(value) > _TOLD_CHARS else value
            for name, value in self.document.items()
        }
        return f"{self.reason}; document: {orjson.dumps(cut).decode()}"


class Typesense:
    """One server or cluster, over HTTP."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def collections(self) -> dict[str, int]:
        """Collection → when it was made, in seconds since 1970."""
        answer = await self._json("GET", "/collections", params={"exclude_fields": "fields"})
        return {one["name"]: one["created_at"] for one in answer}

    async def create(self, definition: Mapping[str, Any]) -> None:
        """Make a collection; one that another process has just made is as good."""
        await self._json("POST", "/collections", data=orjson.dumps(definition), accept=(409,))

    async def drop(self, collection: str) -> None:
        """Remove a collection with its documents, if it is there."""
        await self._json("DELETE", f"/collections/{collection}", accept=(404,))

    async def aliases(self) -> dict[str, str]:
        """Alias → collection."""
        answer = await self._json("GET", "/aliases")
        return {one["name"]: one["collection_name"] for one in answer["aliases"]}

    async def point(self, alias: str, collection: str) -> None:
        """Let an alias name a collection, atomically."""
        await self._json("PUT", f"/aliases/{alias}", data=orjson.dumps({"collection_name": collection}))

    async def unpoint(self, alias: str) -> None:
        """Remove an alias, if it is there."""
        await self._json("DELETE", f"/aliases/{alias}", accept=(404,))

    async def sizes(self) -> dict[str, int]:
        """Collection → number of documents."""
        answer = await self._json("GET", "/collections", params={"exclude_fields": "fields"})
        return {one["name"]: one["num_documents"] for one in answer}

    async def metrics(self) -> dict[str, str]:
        """What the server says of its memory and disk."""
        found: dict[str, str] = await self._json("GET", "/metrics.json")
        return found

    async def upsert(self, collection: str, documents: Sequence[Document]) -> list[Refused]:
        """Write whole documents; those that do not fit the schema come back."""
        return await self.load(collection, list(map(line_of, documents)))

    async def load(self, collection: str, lines: Sequence[bytes]) -> list[Refused]:
        """The same with documents that are lines already (`lines.py`)."""
        refused: list[Refused] = []
        for chunk in _in_chunks(lines, IMPORT_BYTES):
            _, answer = await exchange(
                self._session,
                "POST",
                f"/collections/{collection}/documents/import",
                params={"action": "upsert", "dirty_values": "reject"},
                data=BytesIO(b"\n".join(chunk)),
                headers={"Content-Type": "text/plain"},
            )
            found = [line for line in answer.split(b"\n") if line]
            if len(found) != len(chunk):
                raise Retryable(f"Typesense answered {len(found)} lines for {len(chunk)} documents")
            for line, said in zip(chunk, found, strict=True):
                if said != _TAKEN:
                    refused += _refusal(orjson.loads(line), orjson.loads(said))
        return refused

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Remove documents by their ids (of `schema.token`, hence safe in a filter); missing ones are no error."""
        for start in range(0, len(ids), DELETE_IDS):
            await self.delete_where(collection, f"id:[{','.join(ids[start : start + DELETE_IDS])}]")

    async def delete_where(self, collection: str, filter_by: str) -> None:
        """Remove all documents that a filter matches."""
        await self._json("DELETE", f"/collections/{collection}/documents", params={"filter_by": filter_by})

    async def everything(self, collection: str) -> list[Document] | None:
        """All documents of a small collection; None when it is not there."""
        status, answer = await exchange(
            self._session, "GET", f"/collections/{collection}/documents/export", accept=(404,)
        )
        if status == HTTPStatus.NOT_FOUND:
            return None
        return [orjson.loads(line) for line in answer.split(b"\n") if line]

    async def export(
        self, collection: str, *, fields: str | None = None, filter_by: str | None = None
    ) -> AsyncIterator[list[Document]]:
        """All documents, or those of a filter, as they come; `fields` names those that are wanted of each.

        Raises:
            NotThere: there is no such collection.
        """
        params = {"include_fields": fields, "filter_by": filter_by}
        request = self._session.get(
            f"/collections/{collection}/documents/export",
            params={name: value for name, value in params.items() if value},
        )
        try:
            async with request as response:
                if not response.ok:
                    raise error_of(response.status, (await response.read()).decode(errors="replace"))
                rest = b""
                async for data in response.content.iter_any():
                    *lines, rest = (rest + data).split(b"\n")
                    yield [orjson.loads(line) for line in lines if line]
                yield [orjson.loads(rest)] if rest else []
        except AWAY as error:
            raise unreachable(error) from error

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return orjson.loads((await exchange(self._session, method, path, **options))[1])


@asynccontextmanager
async def open_typesense(settings: Settings, *, timeout: float) -> AsyncIterator[Typesense]:
    """The server of the settings; requests give up when nothing comes for `timeout` seconds."""
    async with session(settings, aiohttp.ClientTimeout(None, sock_read=timeout, sock_connect=2.0)) as opened:
        yield Typesense(opened)


def _in_chunks(lines: Sequence[bytes], most: int) -> Iterable[Sequence[bytes]]:
    """Lines in requests of a bounded size."""
    start = size = 0
    for place, line in enumerate(lines):
        if size + len(line) > most and place > start:
            yield lines[start:place]
            start, size = place, 0
        size += len(line)
    if lines:
        yield lines[start:]


def _refusal(one: Document, line: Mapping[str, Any]) -> list[Refused]:
    if line["success"]:
        return []
    code, reason = line.get("code", 400), line.get("error", "no reason given")
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in PASSING:
        raise Retryable(f"Typesense will not take documents now: {code} {reason}")
    return [Refused(one, f"{code} {reason}")]
