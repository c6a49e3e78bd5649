"""Searching Typesense: the one request that every search of a person waits for.

Everything else is said in `store.py`, whose errors are meant here as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from consumers.search.connection import AWAY, session, unreachable
from consumers.search.schema import Document
from consumers.search.store import error_of
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Hits:
    """One answer of a search: the stored part of the documents, best first, and how many match in all."""

    documents: list[Document]
    found: int


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
        try:
            async with self._session.post(
                f"/multi_search?limit_multi_searches={len(searches)}", data=body
            ) as response:
                answer = await response.read()
        except AWAY as error:
            raise unreachable(error) from error
        if response.status != HTTPStatus.OK:
            raise error_of(response.status, answer.decode(errors="replace"))
        return [_hits(result) for result in orjson.loads(answer)["results"]]


@asynccontextmanager
async def open_searches(settings: Settings, *, timeout: float) -> AsyncIterator[Searches]:
    """The server of the settings; searches give up after `timeout` seconds."""
    async with session(settings, aiohttp.ClientTimeout(timeout)) as opened:
        yield Searches(opened)


def _hits(result: Mapping[str, Any]) -> Hits:
    if "hits" not in result:
        raise error_of(result.get("code", 500), str(result.get("error")))
    return Hits([hit["document"] for hit in result["hits"]], result["found"])
