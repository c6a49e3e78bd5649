"""Search: all documents of the four collections in Typesense."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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
                if alias["name"].endswith("_state"):
                    continue  # the checkpoint and the journal
                exported = await client.get(f"/collections/{alias['collection_name']}/documents/export")
                documents = [json.loads(line) for line in exported.text.splitlines()]
                found[alias["name"]] = {
                    one["id"]: {name: one[name] for name in one.keys() - _OF_THE_WRITER} for one in documents
                }
        return found

    async def wipe(self, stores: Stores) -> None:
        """Drop every collection."""
        empty_typesense(_address(stores))

    async def lose_checkpoint(self, stores: Stores) -> None:
        """Delete its document."""
        at = _address(stores)
        path = f"/collections/{stores.settings.stream_prefix}_checkpoint/documents/state"
        headers = {"X-TYPESENSE-API-KEY": at.api_key}
        async with httpx.AsyncClient(base_url=at.url, headers=headers, timeout=10) as client:
            (await client.delete(path)).raise_for_status()

    async def checkpoint(self, stores: Stores) -> str | None:
        """Kept in a collection of its own."""
        at = _address(stores)
        path = f"/collections/{stores.settings.stream_prefix}_checkpoint/documents/state"
        headers = {"X-TYPESENSE-API-KEY": at.api_key}
        async with httpx.AsyncClient(base_url=at.url, headers=headers, timeout=10) as client:
            answer = await client.get(path)
        return str(answer.json()["checkpoint"]) if answer.status_code == 200 else None

    async def back_up(self, stores: Stores) -> Path:
        """The data folder."""
        assert stores.typesense
        data = stores.typesense.server.data
        copy = data.with_name("yesterday")
        shutil.rmtree(copy, ignore_errors=True)
        stores.typesense.stop()
        shutil.copytree(data, copy)
        stores.typesense.start()
        return copy

    async def put_back(self, stores: Stores, copy: Path) -> None:
        """The folder of then, under a server that starts again.

        Not in a thread: the server would end with the thread that started it. A consumer in our loop sees no outage.
        """
        assert stores.typesense
        data = stores.typesense.server.data
        stores.typesense.kill()
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        stores.typesense.start()


def _address(stores: Stores) -> TypesenseSettings:
    settings = stores.settings
    assert settings.typesense_host
    assert settings.typesense_api_key
    key = settings.typesense_api_key.get_secret_value()
    return TypesenseSettings(
        settings.typesense_host, settings.typesense_port, settings.typesense_protocol, key
    )
