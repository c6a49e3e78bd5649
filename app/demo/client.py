"""One person at the API: bearer token, JSON in, JSON out."""

from __future__ import annotations

from typing import Any

import httpx


class Person:
    """A user of the network who speaks HTTP."""

    def __init__(self, http: httpx.AsyncClient, user_id: str, token: str) -> None:
        self.id = user_id
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, json: Any = None, **params: Any) -> httpx.Response:
        """One request; an answer of 400 or more is an error.

        Raises:
            httpx.HTTPStatusError: with the problem's text.
        """
        response = await self._http.request(method, path, json=json, params=params, headers=self._headers)
        if response.is_error:
            message = f"{method} {path}: {response.status_code} {response.text[:300]}"
            raise httpx.HTTPStatusError(message, request=response.request, response=response)
        return response

    async def get(self, path: str, **params: Any) -> Any:
        """The body of a read."""
        return (await self.call("GET", path, **params)).json()

    async def post(self, **fields: Any) -> str:
        """Write a post; gives its id."""
        body = (await self.call("POST", "/posts", json=fields)).json()
        post_id: str = body["data"]["id"]
        return post_id

    async def search(self, query: str) -> list[str]:
        """Ids of the posts that a search finds, best first."""
        return [card["id"] for card in (await self.get("/posts", search=query, limit=20))["data"]]

    async def feed(self, mode: str = "FOLLOWING") -> list[str]:
        """Ids of the posts on the first page of the feed."""
        items = (await self.get("/feed", mode=mode, limit=20))["data"]
        return [item["data"]["id"] for item in items if item["type"] == "POST"]

    async def similar(self, post_id: str) -> list[str]:
        """Ids of the posts most like another, closest first."""
        return [card["id"] for card in (await self.get(f"/posts/{post_id}/similar", limit=20))["data"]]

    async def numbers(self, post_id: str) -> dict[str, Any]:
        """Analytics of one's own post over the last day."""
        numbers: dict[str, Any] = (await self.get(f"/posts/{post_id}/analytics", period="24h"))["data"]
        return numbers
