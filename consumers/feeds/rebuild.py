"""Rebuilding the pools: another life of the view beside the one that serves, exchanged by one script.

All data keys carry the life's incarnation, and readers learn it from one hash (`schema.meta`) in the same script that
reads the pools, so they see the one life or the other and never both. A page that was ranked in the other life is
ranked again: its incarnation is a part of what it rests on. The order of a rebuild is `consumers/engine/rebuild/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from consumers.engine.checkpoint import Refill
from consumers.engine.rebuild.fence import fence
from consumers.engine.rebuild.shadow import Filled, Moved, Need, Sides, shadow_name
from consumers.engine.tasks import ahead
from consumers.feeds import schema, truth
from consumers.feeds.lives import Lives
from consumers.feeds.projection import VIEW, FeedsProjection
from consumers.feeds.store import Changes, FeedStore
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_rows
from runtime.redis import Client
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "posts.sql")
_PAGE: Final = 500
#: What a post takes in Redis, with its places in the pools. Bytes.
_GUESS: Final = 2048


class FeedShadows:
    """See `Shadows`."""

    view: Final = VIEW

    def __init__(self, client: Client, pool: Pool, prefix: str) -> None:
        self._client = client
        self._pool = pool
        self._prefix = prefix
        self._lives = Lives(client, prefix)

    def projection(self, number: int) -> FeedsProjection:
        """The write side of a shadow."""
        return FeedsProjection(self._shadow(number), self._pool, shadow_name(VIEW, number))

    async def fence(self, generation: int) -> None:
        """In the hash that every script looks at first."""
        await fence(FeedsProjection(FeedStore(self._client, self._prefix), self._pool), generation)

    async def target(self, number: int) -> str:
        """The incarnation of the shadow's life."""
        return await self._lives.incarnation(number) or ""

    async def needs(self) -> Sequence[Need]:
        """As much memory again as the pools have, which hold a bounded part of the posts."""
        used, most = await self._lives.memory()
        return [Need("Redis's memory", min(used, await self.rows() * _GUESS), most - used)]

    async def rows(self) -> int:
        """All posts."""
        return (await self._how_many())[0]

    async def fill(self, number: int, generation: int, after: Refill | None) -> AsyncIterator[Filled]:
        """See `Shadows`: every post once, while the next page is being read."""
        store = self._shadow(number)
        await store.prepare()
        cursor = after.cursor if after and after.cursor else ""
        async with ahead(self._pages(cursor)) as pages:
            async for ids, changes in pages:
                await store.apply(changes, "", generation)
                yield Filled(Refill("posts", ids[-1]), len(ids))

    async def complete(self, number: int) -> None:
        """Nothing: the pools are cut while they are filled."""

    async def accompany(self, number: int, stop: asyncio.Event) -> None:
        """Nothing."""

    async def finish_off(self, number: int) -> bool:
        """Nothing."""
        return False

    async def counts(self, number: int) -> Mapping[str, int]:
        """The pool of everybody's posts."""
        return {"public posts": await self._lives.size(number, schema.PUBLIC_POOL)}

    async def expected(self, number: int) -> Mapping[str, int]:
        """As many as there are, up to the pool's cap."""
        return {"public posts": min((await self._how_many())[1], schema.PUBLIC_CAP)}

    async def sides(self, number: int) -> Sides | None:
        """The incarnations."""
        shadow = await self._lives.incarnation(number)
        return Sides(await self._lives.incarnation(None), shadow) if shadow else None

    async def exchange(self, number: int, sides: Sides) -> None:
        """One script."""
        if not await self._lives.exchange(number, sides.serving, sides.shadow):
            raise Moved("other lives of the view stand in Redis")

    async def drop(self, number: int) -> None:
        """All keys of the shadow's life."""
        await self._lives.drop(number)

    def _shadow(self, number: int) -> FeedStore:
        return FeedStore(self._client, self._prefix, number)

    async def _pages(self, after: str) -> AsyncIterator[tuple[list[str], Changes]]:
        while True:
            try:
                async with self._pool.connection() as conn:
                    ids = await truth.next_posts(conn, after, _PAGE)
                    if not ids:
                        return
                    changes = Changes(*await truth.posts_of_batch(conn, ids, ()))
            except TRANSIENT as error:
                raise Retryable(f"PostgreSQL is away: {error}") from error
            yield ids, changes
            after = ids[-1]

    async def _how_many(self) -> tuple[int, int]:
        try:
            async with self._pool.connection() as conn:
                [(every, public)] = await fetch_rows(conn, _SQL["how_many"])
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        return every, public
