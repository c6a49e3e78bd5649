"""Leaderboards of live quizzes, kept in Redis: everybody in a class asks for the same one every second.

A table over closed questions can't change any more (`games.py`), so the key names the game and how many are closed,
and nothing has to be kept in step. Without Redis PostgreSQL counts each time.
"""

from __future__ import annotations

from typing import Any, Final, cast

import orjson
import structlog

from consumers.live import games
from consumers.live.games import Game
from consumers.live.schema import board_key
from runtime.breaker import Breakers
from runtime.errors import Retryable
from runtime.postgres import Connection
from runtime.redis import Client

SECONDS_KEPT: Final = 2 * 3600
TIMEOUT_SECONDS: Final = 0.3

log = structlog.get_logger(__name__)


class Boards:
    """The tables of this process's requests."""

    def __init__(self, client: Client | None, prefix: str, breakers: Breakers | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._breakers = breakers or Breakers()

    async def of(self, conn: Connection, game: Game) -> tuple[list[dict[str, Any]], str]:
        """The table of a game, and which store gave it."""
        if self._client is None or game.closed == 0:
            return await games.board(conn, game.code, game.closed), "postgres"
        key = board_key(self._prefix, game.code, game.id, game.closed)
        kept = await self._get(key)
        if kept is not None:
            lines: list[dict[str, Any]] = orjson.loads(kept)
            return lines, "redis"
        counted = await games.board(conn, game.code, game.closed)
        await self._set(key, orjson.dumps(counted))
        return counted, "postgres"

    async def _get(self, key: str) -> bytes | None:
        client = self._client
        assert client is not None  # `of` has looked

        async def ask() -> bytes | None:
            return cast(bytes | None, await client.get(key))

        try:
            return await self._breakers.call("redis-live", ask, TIMEOUT_SECONDS)
        except Retryable as error:
            log.warning("board_counted_in_postgres", error=str(error))
            return None

    async def _set(self, key: str, text: bytes) -> None:
        client = self._client
        assert client is not None  # `of` has looked

        async def tell() -> None:
            await client.set(key, text, ex=SECONDS_KEPT)

        try:
            await self._breakers.call("redis-live", tell, TIMEOUT_SECONDS)
        except Retryable as error:
            log.warning("board_not_kept", error=str(error))
