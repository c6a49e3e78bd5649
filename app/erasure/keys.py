"""Redis: the streams are cut behind what every view has passed, and every other key of ours is searched.

Cutting a stream is what trimming does all the time, only sooner; entries are not taken out of the middle, which a
reader would see as a hole. All other keys are caches of one kind or another: what mentions the person is removed,
whatever the key is for, so that a new kind of cache needs nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any, Final, cast

from app.erasure.person import Person
from consumers.engine.positions import covers
from runtime.errors import Retryable
from runtime.postgres import Connection, Pool
from runtime.redis import Client
from schemas import wire
from schemas.errors import EventError
from schemas.snapshot import Snapshot

_BATCH: Final = 1000
_NEWEST: Final = 200
_POLL_SECONDS: Final = 0.1


class Keys:
    """The keys of one prefix."""

    def __init__(self, client: Client, prefix: str, person: Person) -> None:
        self._client = client
        self._prefix = prefix
        self._person = person

    async def cut_streams(self, pool: Pool, patience: float) -> int:
        """Drop from the streams all that the relay had to publish up to now; how many entries.

        Raises:
            Retryable: the relay does not get there.
        """
        async with pool.connection() as conn:
            snapshot, epoch = await _now(conn)
        deadline = monotonic() + patience
        removed = 0
        async for keys in self._batches():
            for key in await self._of_type(keys, b"stream"):
                written_in = _epoch_of(key)
                if written_in is None:
                    continue
                if written_in < epoch:
                    bound: bytes | None = await self._end(key)
                else:
                    bound = await self._marker(pool, key, snapshot, deadline)
                if bound is not None:
                    removed += int(await self._client.xtrim(key, minid=bound.decode(), approximate=False))
        return removed

    async def forget(self) -> int:
        """Remove what mentions the person from all keys but streams; how many keys, members and fields."""
        return sum([await self._remove(key, kind) async for key, kind in self._mentioning()])

    async def traces(self) -> dict[str, int]:
        """How many keys, of which type, still mention the person."""
        found: dict[str, int] = {}
        async for _, kind in self._mentioning(streams=True):
            found[f"redis {kind.decode()}"] = found.get(f"redis {kind.decode()}", 0) + 1
        return found

    async def _remove(self, key: bytes, kind: bytes) -> int:
        if kind not in (b"hash", b"zset", b"set") or self._person.is_in(key):
            return int(await self._client.delete(key))
        members = [name for name, value in await self._members(key, kind) if self._says(name, value)]
        remove = {b"hash": self._client.hdel, b"zset": self._client.zrem, b"set": self._client.srem}[kind]
        return int(await cast(Any, remove(key, *members)))

    async def _mentioning(self, *, streams: bool = False) -> AsyncIterator[tuple[bytes, bytes]]:
        async for keys in self._batches():
            async with self._client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.type(key)
                kinds: list[bytes] = await pipe.execute()
            for key, kind in zip(keys, kinds, strict=True):
                if kind == b"stream" and not streams:
                    continue
                if self._person.is_in(key) or await self._content_mentions(key, kind):
                    yield key, kind

    async def _content_mentions(self, key: bytes, kind: bytes) -> bool:
        if kind == b"string":
            return self._says(b"", await cast(Any, self._client.get(key)) or b"")
        return any(self._says(name, value) for name, value in await self._members(key, kind))

    async def _members(self, key: bytes, kind: bytes) -> list[tuple[bytes, bytes]]:
        client = cast(Any, self._client)
        if kind == b"hash":
            return list((await client.hgetall(key)).items())
        if kind == b"zset":
            return [(member, b"") for member in await client.zrange(key, 0, -1)]
        if kind == b"set":
            return [(member, b"") for member in await client.smembers(key)]
        if kind == b"list":
            return [(b"", value) for value in await client.lrange(key, 0, -1)]
        if kind == b"stream":
            return [(b"", b" ".join(fields.values())) for _, fields in await client.xrange(key)]
        return []

    def _says(self, name: bytes, value: bytes) -> bool:
        return self._person.is_in(name) or self._person.is_in(value)

    async def _batches(self) -> AsyncIterator[list[bytes]]:
        batch: list[bytes] = []
        async for key in self._client.scan_iter(match=f"{self._prefix}:*", count=_BATCH):
            batch.append(key)
            if len(batch) >= _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _of_type(self, keys: Sequence[bytes], wanted: bytes) -> list[bytes]:
        async with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.type(key)
            kinds = await pipe.execute()
        return [key for key, kind in zip(keys, kinds, strict=True) if kind == wanted]

    async def _end(self, key: bytes) -> bytes | None:
        """The last entry: the end of a stream whose epoch is over."""
        newest = cast(Any, await self._client.xrevrange(key, count=1))
        return newest[0][0] if newest else None

    async def _marker(self, pool: Pool, key: bytes, snapshot: Snapshot, deadline: float) -> bytes:
        """The newest entry that says that all of the snapshot has been published."""
        while True:
            for place, fields in cast(Any, await self._client.xrevrange(key, count=_NEWEST)):
                if _has_published(fields, snapshot):
                    return bytes(place)
            if monotonic() > deadline:
                raise Retryable(
                    "the relay has not published what was erased: start it (`stunity relay`), run this again"
                )
            async with pool.connection() as conn:
                await conn.execute("SELECT pg_notify('stunity_marker', '')")
            await asyncio.sleep(_POLL_SECONDS)


def _has_published(fields: wire.Fields, snapshot: Snapshot) -> bool:
    if fields.get(b"c") != b"marker":
        return False
    try:
        entry = wire.decode(fields)
        return isinstance(entry, wire.Marker) and covers(Snapshot.parse(entry.snapshot), snapshot)
    except EventError:
        return False


def _epoch_of(key: bytes) -> int | None:
    """The epoch in a stream's key; None of a stream that is not the relay's, which is not cut."""
    part = key.split(b":")[1]
    return int(part) if part.isdigit() else None


async def _now(conn: Connection) -> tuple[Snapshot, int]:
    row = await (await conn.execute("SELECT pg_current_snapshot()::text, outbox.current_epoch()")).fetchone()
    assert row is not None  # a SELECT without FROM always gives one row
    return Snapshot.parse(row[0]), row[1]
