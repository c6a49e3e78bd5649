"""Feeds: pools and posts in Redis. Versions only ever grow, so two equal views may differ in them."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from tests.conformance.harness import Content, Stores


class FeedsHarness:
    """Looks at all keys of the view's one incarnation."""

    name = "feeds"

    async def content(self, stores: Stores) -> Content:
        """Posts as text, pools as scores, by key."""
        assert stores.settings.redis_url
        root = f"{stores.settings.stream_prefix}:{{feeds}}:"
        found: Content = {}
        async with Redis.from_url(stores.settings.redis_url, decode_responses=True) as client:
            incarnation = str(await client.hget(f"{root}meta", "incarnation"))
            prefix = f"{root}{incarnation}:"
            async for key in client.scan_iter(f"{prefix}*"):
                name = key.removeprefix(prefix)
                if name.startswith("post:"):
                    found[name] = await client.get(key)
                elif name.startswith(("recent:", "hot:")):
                    scored: Any = await client.zrange(key, 0, -1, withscores=True)
                    found[name] = {str(member): score for member, score in scored}
        return found

    async def wipe(self, stores: Stores) -> None:
        """FLUSHALL."""
        assert stores.settings.redis_url
        async with Redis.from_url(stores.settings.redis_url) as client:
            await client.flushall()

    async def lose_checkpoint(self, stores: Stores) -> None:
        """Delete its field."""
        async with self._client(stores) as client:
            await client.hdel(f"{stores.settings.stream_prefix}:{{feeds}}:meta", "checkpoint")

    async def checkpoint(self, stores: Stores) -> str | None:
        """Kept beside the pools."""
        async with self._client(stores) as client:
            found = await client.hget(f"{stores.settings.stream_prefix}:{{feeds}}:meta", "checkpoint")
        return found.decode() if found else None

    async def back_up(self, stores: Stores) -> dict[bytes, bytes]:
        """Every key as Redis dumps it."""
        async with self._client(stores) as client:
            pattern = f"{stores.settings.stream_prefix}:{{feeds}}:*"
            return {key: await client.dump(key) async for key in client.scan_iter(pattern)}

    async def put_back(self, stores: Stores, copy: dict[bytes, bytes]) -> None:
        """In one transaction."""
        async with self._client(stores) as client:
            pattern = f"{stores.settings.stream_prefix}:{{feeds}}:*"
            present = [key async for key in client.scan_iter(pattern)]
            async with client.pipeline(transaction=True) as pipe:
                pipe.delete(*present)
                for key, value in copy.items():
                    pipe.restore(key, 0, value, replace=True)
                await pipe.execute()

    def _client(self, stores: Stores) -> Any:
        assert stores.settings.redis_url
        return Redis.from_url(stores.settings.redis_url)
