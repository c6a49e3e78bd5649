"""Keys with which a client searches Typesense itself, for one viewer and a few minutes: off unless a setting says so.

A scoped key is a signature of the viewer's filter under a parent key that can search posts and nothing else, so a
client can narrow the filter and not widen it. It covers PUBLIC posts and those of the viewer's own school, without
the authors whom a block hides; class and private posts need a look at PostgreSQL, hence our own routes. What changes
while a key lives (a block, another school) reaches its holder by the index alone, or when the key ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from time import time
from typing import Any, Final

import orjson

from consumers.search import schema
from consumers.search.mapping import school_audience
from consumers.search.schema import EVERYBODY
from consumers.search.store import Typesense
from consumers.search.visible import narrowed
from runtime.access import Scope

SECONDS: Final = 300
#: What a document shows to a client; the rest (audience, words, sounds) is ours.
_SHOWN: Final = "key,createdAt,postType,tags"
_PURPOSE: Final = b"stunity: parent of scoped search keys"


class ClientKeys:
    """Makes the keys of one Typesense; the parent is derived from the admin key, so every process has the same."""

    def __init__(self, store: Typesense, prefix: str, admin_key: str) -> None:
        self._store = store
        self._prefix = prefix
        self._parent = hmac.new(admin_key.encode(), _PURPOSE, hashlib.sha256).hexdigest()
        self._known = False

    async def issue(self, scope: Scope) -> dict[str, Any]:
        """A key for this viewer, the collection that it opens, and when it ends (Unix seconds).

        Raises:
            Retryable: Typesense is away.
        """
        if not self._known:
            await self._store.allow_search(self._parent, f"{self._prefix}_posts.*")
            self._known = True
        ends = int(time()) + SECONDS
        return {
            "key": scoped(self._parent, _parameters(scope, ends)),
            "collection": schema.alias(self._prefix, "posts"),
            "expiresAt": ends,
        }


def scoped(parent: str, parameters: dict[str, Any]) -> str:
    """Typesense's own form: signature, the parent's first letters, and the parameters that it adds to every search."""
    told = orjson.dumps(parameters)
    signature = base64.b64encode(hmac.new(parent.encode(), told, hashlib.sha256).digest())
    return base64.b64encode(signature + parent[:4].encode() + told).decode()


def _parameters(scope: Scope, ends: int) -> dict[str, Any]:
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
