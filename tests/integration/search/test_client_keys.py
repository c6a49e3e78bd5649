"""Scoped keys: what their holder can find in Typesense itself, and that they can do nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import time
from typing import Any

import httpx
import pytest

from consumers.search import wiring
from consumers.search.keys import SECONDS, ClientKeys
from runtime.access import Scope, Viewer
from runtime.errors import Retryable
from runtime.settings import Settings
from tests.integration.search.conftest import Api, Index
from tests.support.network import Network


@pytest.fixture
async def keys(settings: Settings) -> AsyncIterator[ClientKeys]:
    switched_on = settings.model_copy(update={"search_client_keys": True})
    async with wiring.client_keys(switched_on) as made:
        assert made is not None
        yield made


class Client:
    """Somebody with a key and an address."""

    def __init__(self, settings: Settings, key: str) -> None:
        self._url = f"http://{settings.typesense_host}:{settings.typesense_port}"
        self._headers = {"X-TYPESENSE-API-KEY": key}

    def get(self, path: str, **params: Any) -> httpx.Response:
        return httpx.get(self._url + path, params=params, headers=self._headers)

    def found(self, **params: Any) -> set[str]:
        answer = self.get("/collections/stunity_posts/documents/search", query_by="content", **params)
        return {hit["document"]["key"] for hit in answer.raise_for_status().json()["hits"]}


async def test_a_key_opens_public_and_own_school_posts_and_nothing_else(
    keys: ClientKeys, settings: Settings, network: Network, index: Index
) -> None:
    public = network.post("teacher", "zebra")
    own = network.post("teacher", "zebra", "north", visibility="SCHOOL")
    network.post("sophea", "zebra", "south", visibility="SCHOOL")
    network.post("teacher", "zebra", "north", visibility="CLASS")
    network.post("anna", "zebra", visibility="PRIVATE")
    network.post("guest", "zebra")
    await index.fill()
    scope = Scope(Viewer("anna", "STUDENT", "north"), blocked=("guest",), classmates=("teacher",))
    issued = await keys.issue(scope)
    assert 0 < issued["expiresAt"] - time() <= SECONDS
    client = Client(settings, issued["key"])
    assert client.found(q="zebra") == {public, own}
    assert client.found(q="*", filter_by="audience:=public || createdAt:>0") == {public, own}
    assert client.found(q="*", filter_by="createdAt:>0) || (createdAt:>0") <= {public, own}
    hit = client.get(
        "/collections/stunity_posts/documents/search", q="zebra", query_by="content", include_fields="*"
    )
    assert not {"audience", "owner", "content"} & set(hit.json()["hits"][0]["document"])
    for path in (
        "/collections/stunity_users/documents/search?q=*&query_by=names",
        "/collections/stunity_posts/documents/export",
        "/collections",
        "/keys",
    ):
        assert client.get(path).status_code in {401, 403, 404}, path


async def test_a_server_that_is_away_makes_no_keys(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"search_client_keys": True, "typesense_port": 1})
    async with wiring.client_keys(nowhere) as made:
        assert made is not None
        with pytest.raises(Retryable):
            await made.issue(Scope(Viewer("anna", "STUDENT", "north")))


@pytest.mark.usefixtures("network")
async def test_keys_are_off_unless_switched_on(http: Api, settings: Settings) -> None:
    async with wiring.client_keys(settings) as made:
        assert made is None
    assert (await http.get("anna", "/search/key")).status_code == 404
