"""Searching Typesense: the one request that every search of a person waits for.

Everything else is said in `store.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from consumers.search.connection import error_of, exchange, session
from consumers.search.schema import Document
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Hits:
    """One answer of a search: the stored part of the documents, best first, how many match, and of how many."""

    documents: list[Document]
    found: int
    out_of: int


class Searches:
    """The searching side of one server or cluster."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, searches: Sequence[Mapping[str, Any]]) -> list[Hits]:
        """Several searches in one round trip, answered in the same order.

        Raises:
            Retryable: Typesense is away or busy, or a collection is missing.
            Permanent: it does not understand the search.
        """
        body = orjson.dumps({"searches": searches})
        path = f"/multi_search?limit_multi_searches={len(searches)}"
        _, answer = await exchange(self._session, "POST", path, data=body)
        return [_hits(result) for result in orjson.loads(answer)["results"]]


@asynccontextmanager
async def open_searches(settings: Settings, *, timeout: float) -> AsyncIterator[Searches]:
    """The server of the settings; searches give up after `timeout` seconds."""
    async with session(settings, aiohttp.ClientTimeout(timeout)) as opened:
        yield Searches(opened)


def _hits(result: Mapping[str, Any]) -> Hits:
    if "hits" not in result:
        raise error_of(result.get("code", 500), str(result.get("error")))
    return Hits([hit["document"] for hit in result["hits"]], result["found"], result["out_of"])
