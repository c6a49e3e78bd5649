"""Comparing the feed pools with the truth, post by post.

A pool holds its newest (or hottest) posts up to a cap, and Redis knows the highest score that a cap has made each pool
drop (`floors`): above it a pool must have every post that belongs there, below it it may. Posts are compared with all
pools that hold them. What is made for single viewers (profiles, ranked pages) says itself when it is out of date.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import orjson

from consumers.engine.comparison import digest_of
from consumers.engine.pace import Pace
from consumers.engine.passing import Passing
from consumers.engine.repair.requests import Request, ask
from consumers.engine.verification import Differences, Fault, Key, Look, Settle, Wrong, confirm
from consumers.feeds import schema
from consumers.feeds.expected import COUNTED, PEOPLE, Pools, Row, content, is_right, pools
from runtime.errors import ConfigurationError, Retryable
from runtime.postgres import TRANSIENT as POSTGRES_AWAY
from runtime.postgres import Pool, fetch_dicts
from runtime.redis import TRANSIENT, Client, open_client
from runtime.settings import Settings

_SQL: Final = (Path(__file__).parent / "sql" / "expected.sql").read_text(encoding="utf-8")
_PAGE: Final = 1000
_SCAN: Final = 2000
_PART: Final = "posts"
_POST: Final = "post:"


@dataclass(slots=True)
class _Held:
    """What Redis holds: which posts, which pools hold them, and what each pool has dropped."""

    base: str = ""
    floors: dict[str, float] = field(default_factory=dict)
    posts: set[str] = field(default_factory=set)
    members: dict[str, Pools] = field(default_factory=lambda: defaultdict(dict))


class FeedsVerifier:
    """The pools and their posts against posts, likes and comments."""

    name: ClassVar[str] = "feeds"

    def __init__(self, client: Client, pool: Pool, prefix: str, pace: Pace) -> None:
        self._client = client
        self._pool = pool
        self._root = schema.root(prefix)
        self._pace = pace

    async def compare(self, target: str | None = None, *, settle: Settle | None = None) -> Differences:
        """See `Verifier`. A target is another incarnation of the view."""

        async def look(only: Collection[Key] | None) -> Look:
            ids = None if only is None else frozenset(key.id for key in only)
            try:
                return await self._look(target, ids)
            except TRANSIENT as error:
                raise Retryable(f"Redis is away: {error}") from error

        return await confirm(self.name, look, settle or Passing(self._pool, self.name))

    async def repair(self, differences: Differences) -> int:
        """See `Verifier`. What is there of these posts is taken away, the consumer writes them anew."""
        ids = sorted({key.id for key in differences.every()})
        try:
            held = await self._read(None)
            for start in range(0, len(ids), _PAGE):
                async with self._client.pipeline(transaction=True) as pipe:
                    for post in ids[start : start + _PAGE]:
                        pipe.delete(f"{held.base}{_POST}{post}")
                        for pool in held.members.get(post, ()):
                            pipe.zrem(f"{held.base}{pool}", post)
                    await pipe.execute()
        except TRANSIENT as error:
            raise Retryable(f"Redis is away: {error}") from error
        return await ask(self._pool, self.name, [Request("post", "post.updated.v1", post) for post in ids])

    async def _look(self, target: str | None, ids: frozenset[str] | None) -> Look:
        held = await self._read(target)
        left = {*held.posts, *held.members} if ids is None else {*held.posts, *held.members} & ids
        found = Look()
        async for rows in self._rows(ids):
            texts = await self._texts(held, [row["id"] for row in rows])
            for row, text in zip(rows, texts, strict=True):
                left.discard(row["id"])
                if wrong := _wrong(row, text, held):
                    found.faults[Key(_PART, row["id"])] = Fault(wrong, digest_of(content(row)))
            found.compared += len(rows)
        found.faults |= {Key(_PART, post): Fault(Wrong.EXTRA) for post in left}
        found.compared += len(left)
        return found

    async def _read(self, target: str | None) -> _Held:
        """Pools and floors of one incarnation; nothing when there is no view."""
        incarnation = target or _text(await cast(Any, self._client.hget(f"{self._root}meta", "incarnation")))
        held = _Held(f"{self._root}{incarnation}:")
        floors = await cast(Any, self._client.hgetall(f"{held.base}floors"))
        held.floors = {_text(pool): float(score) for pool, score in floors.items()}
        async for raw in self._client.scan_iter(match=f"{held.base}*", count=_SCAN):
            name = _text(raw).removeprefix(held.base)
            if name.startswith(_POST):
                held.posts.add(name.removeprefix(_POST))
            elif name.startswith(("recent:", "hot:")):
                scored: Any = await self._client.zrange(raw, 0, -1, withscores=True)
                for post, score in scored:
                    held.members[_text(post)][name] = score
        return held

    async def _texts(self, held: _Held, ids: Sequence[str]) -> list[bytes | None]:
        if not ids:
            return []
        return cast(list[bytes | None], await self._client.mget([f"{held.base}{_POST}{one}" for one in ids]))

    async def _rows(self, ids: frozenset[str] | None) -> AsyncIterator[list[Row]]:
        wanted = None if ids is None else sorted(ids)
        params = {"ids": wanted, "counted": COUNTED, "people": PEOPLE, "most": _PAGE}
        after: str | None = ""
        while after is not None:
            try:
                async with self._pool.connection() as conn:
                    rows = await fetch_dicts(conn, _SQL, {**params, "after": after})
            except POSTGRES_AWAY as error:
                raise Retryable(f"PostgreSQL is away: {error}") from error
            await self._pace.spend(len(rows))
            yield list(rows)
            after = rows[-1]["id"] if len(rows) == _PAGE else None


@asynccontextmanager
async def verifier(settings: Settings, pool: Pool, pace: Pace) -> AsyncIterator[FeedsVerifier]:
    """The verifier of the feeds of these settings.

    Raises:
        ConfigurationError: there is no Redis.
    """
    if settings.redis_url is None:
        raise ConfigurationError("feeds need REDIS_URL")
    async with open_client(settings.redis_url, timeout=30.0, name="stunity-verify") as client:
        yield FeedsVerifier(client, pool, settings.stream_prefix, pace)


def _wrong(row: Row, text: bytes | None, held: _Held) -> Wrong | None:
    """What is wrong with a post that belongs into feeds; None when nothing is."""
    members = held.members.get(row["id"], {})
    if text is None:
        must = any(_must_hold(held, pool, score) for pool, score in pools(row, None).items())
        return Wrong.STALE if members else Wrong.MISSING if must else None
    try:
        static, counts = (orjson.loads(half) for half in text.split(b"\n"))
        right = is_right(row, static, counts)
        wanted = pools(row, float(counts["x"]) if "x" in counts else None)
    except (ValueError, KeyError, TypeError):
        return Wrong.STALE
    if not right or not members or any(wanted.get(pool) != score for pool, score in members.items()):
        return Wrong.STALE
    absent = (pool for pool in wanted if pool not in members)
    return Wrong.STALE if any(_must_hold(held, pool, wanted[pool]) for pool in absent) else None


def _must_hold(held: _Held, pool: str, score: float) -> bool:
    return score > held.floors.get(pool, float("-inf"))


def _text(raw: bytes | str | None) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
