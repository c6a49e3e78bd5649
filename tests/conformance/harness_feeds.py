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
