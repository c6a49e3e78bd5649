"""Keys with which a client searches Typesense itself, for one viewer and a few minutes: off unless a setting says so.

A scoped key is a signature of the viewer's filter under a parent key that can search posts and nothing else, so a
client can narrow the filter and not widen it. It covers PUBLIC posts and those of the viewer's own school, without
the authors whom a block hides; class and private posts need a look at PostgreSQL, hence our own routes. What changes
while a key lives (a block, another school) reaches its holder by the index alone, or when the key ends.

The form of a scoped key is Typesense's own: its client library makes them. What is asked for every page and every batch
of documents goes over connections of our own (`connection.py`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time
from typing import Any, Final

import httpx
from typesense.async_.api_call import AsyncApiCall
from typesense.async_.keys import AsyncKeys
from typesense.configuration import Configuration, NodeConfigDict
from typesense.exceptions import ObjectAlreadyExists, TypesenseClientError
from typesense.types.document import GenerateScopedSearchKeyParams

from consumers.search import schema
from consumers.search.mapping import school_audience
from consumers.search.schema import EVERYBODY
from consumers.search.visible import narrowed
from runtime.access import Scope
from runtime.errors import Retryable
from runtime.settings import Settings

SECONDS: Final = 300
#: What a document shows to a client; the rest (audience, words, sounds) is ours.
_SHOWN: Final = "key,createdAt,postType,tags"
_PURPOSE: Final = b"stunity: parent of scoped search keys"


class ClientKeys:
    """Makes the keys of one Typesense; the parent is derived from the admin key, so every process has the same."""

    def __init__(self, keys: AsyncKeys, prefix: str, admin_key: str) -> None:
        self._keys = keys
        self._prefix = prefix
        self._parent = hmac.new(admin_key.encode(), _PURPOSE, hashlib.sha256).hexdigest()
        self._known = False

    async def issue(self, scope: Scope) -> dict[str, Any]:
        """A key for this viewer, the collection that it opens, and when it ends (Unix seconds).

        Raises:
            Retryable: Typesense is away.
        """
        if not self._known:
            await self._make_parent()
            self._known = True
        ends = int(time()) + SECONDS
        return {
            "key": self._keys.generate_scoped_search_key(self._parent, _parameters(scope, ends)).decode(),
            "collection": schema.alias(self._prefix, "posts"),
            "expiresAt": ends,
        }

    async def _make_parent(self) -> None:
        try:
            await self._keys.create(
                {
                    "description": "parent of scoped search keys",
                    "actions": ["documents:search"],
                    "collections": [f"{self._prefix}_posts.*"],
                    "value": self._parent,
                }
            )
        except ObjectAlreadyExists:
            return
        except (TypesenseClientError, httpx.HTTPError) as error:
            raise Retryable(f"Typesense makes no keys now: {type(error).__name__}") from error


@asynccontextmanager
async def open_keys(settings: Settings, *, timeout: float) -> AsyncIterator[ClientKeys]:
    """Keys of the server of the settings; requests give up after `timeout` seconds."""
    assert settings.typesense_api_key is not None
    assert settings.typesense_host is not None
    admin_key = settings.typesense_api_key.get_secret_value()
    node: NodeConfigDict = {
        "host": settings.typesense_host,
        "port": settings.typesense_port,
        "protocol": settings.typesense_protocol,
    }
    calls = AsyncApiCall(
        Configuration(
            {"api_key": admin_key, "nodes": [node], "connection_timeout_seconds": timeout, "num_retries": 1}
        )
    )
    async with calls:
        yield ClientKeys(AsyncKeys(calls), settings.stream_prefix, admin_key)


def _parameters(scope: Scope, ends: int) -> GenerateScopedSearchKeyParams:
    school = scope.viewer.school_id
    audiences = [EVERYBODY] if school is None else [EVERYBODY, school_audience(school)]
    return {
        "filter_by": narrowed(audiences, scope.blocked),
        "include_fields": _SHOWN,
        "exclude_fields": "_gen",
        "highlight_fields": "none",
        "highlight_full_fields": "none",
        "limit_hits": 250,
        "expires_at": ends,
    }
