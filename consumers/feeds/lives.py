"""The lives of the view in Redis: which serves, how they change places, how one ends.

What a life holds is `store.py`'s, and beginning another under the same name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from consumers.feeds import schema
from consumers.feeds.calls import awaited, translated
from runtime.redis import Client

_EXCHANGE: Final = Path(__file__).parent / "lua" / "exchange.lua"
_KEYS_PER_UNLINK: Final = 500


class Lives:
    """All lives of the view under one prefix; `number` is a shadow's, None the serving one. Redis away: Retryable."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._root = schema.root(prefix)
        self._exchange = client.register_script(_EXCHANGE.read_text(encoding="utf-8"))

    async def incarnation(self, number: int | None) -> str | None:
        """The life that stands under this name now."""
        with translated():
            found = await awaited(self._client.hget(schema.meta(self._prefix, number), "incarnation"))
        return found.decode() if found else None

    async def exchange(self, number: int, serving: str | None, shadow: str) -> bool:
        """Let the life that serves and the shadow's change places, if they have not; False when others stand there."""
        names = [schema.meta(self._prefix), schema.meta(self._prefix, number), f"{self._root}exchanging"]
        with translated():
            answer = await self._exchange(keys=names, args=[serving or "", shadow])
        return answer in (b"OK", b"DONE")

    async def size(self, number: int, pool: str) -> int:
        """How many posts a pool holds."""
        life = await self.incarnation(number)
        with translated():
            return int(await self._client.zcard(f"{self._root}{life}:{pool}"))

    async def memory(self) -> tuple[int, int]:
        """Bytes that Redis uses, and that it may use."""
        with translated():
            found = await self._client.info("memory")
        return found["used_memory"], found.get("maxmemory") or found["total_system_memory"]

    async def drop(self, number: int) -> None:
        """Remove a shadow's life."""
        meta = schema.meta(self._prefix, number)
        await drop_life(self._client, self._root, schema.former(meta))
        await drop_life(self._client, self._root, meta)


async def drop_life(client: Client, root: str, meta: str) -> None:
    """Remove all keys of the life under a name; the name goes last: a crash leaves nothing that is not found."""
    keys: list[bytes] = []
    with translated():
        life = await awaited(client.hget(meta, "incarnation"))
        if life is None:
            return
        async for key in client.scan_iter(f"{root}{life.decode()}:*", count=1000):
            keys.append(key)
            if len(keys) >= _KEYS_PER_UNLINK:
                await client.unlink(*keys)
                keys.clear()
        await client.unlink(*keys, meta)
