"""Search: all documents of the four collections in Typesense."""

from __future__ import annotations

import json

import httpx

from tests.conformance.harness import Content, Stores
from tests.support.servers import TypesenseSettings, empty_typesense

_OF_THE_WRITER = {"_gen"}


class SearchHarness:
    """Looks at Typesense over HTTP."""

    name = "search"

    async def content(self, stores: Stores) -> Content:
        """Documents by collection and id."""
        found: Content = {}
        at = _address(stores)
        headers = {"X-TYPESENSE-API-KEY": at.api_key}
        async with httpx.AsyncClient(base_url=at.url, headers=headers, timeout=10) as client:
            for alias in (await client.get("/aliases")).json()["aliases"]:
                exported = await client.get(f"/collections/{alias['collection_name']}/documents/export")
                documents = [json.loads(line) for line in exported.text.splitlines()]
                found[alias["name"]] = {
                    one["id"]: {name: one[name] for name in one.keys() - _OF_THE_WRITER} for one in documents
                }
        return found

    async def wipe(self, stores: Stores) -> None:
        """Drop every collection."""
        empty_typesense(_address(stores))


def _address(stores: Stores) -> TypesenseSettings:
    settings = stores.settings
    assert settings.typesense_host
    assert settings.typesense_api_key
    key = settings.typesense_api_key.get_secret_value()
    return TypesenseSettings(
        settings.typesense_host, settings.typesense_port, settings.typesense_protocol, key
    )
