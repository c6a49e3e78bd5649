"""`engine.repairs`: asking the owner of a view to apply some events, and the owner's side of it.

The events are made from the truth by the view's verifier. They carry no place in the log (id 0, like those of a fill):
what they say is "look at this key again", or a fact as the truth has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

from psycopg.types.json import Jsonb

from consumers.engine.log import Log
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool
from runtime.statements import load
from schemas.envelope import Event

_SQL: Final = load(Path(__file__).parent / "sql" / "requests.sql")
_AT_ONCE: Final = 500
#: Batches between two reads of the stream: live events go on.
_MOST_BATCHES: Final = 4
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """An event that a view is to apply, or apply again."""

    topic: str
    type: str
    key: str
    data: dict[str, Any] = field(default_factory=dict)


async def ask(pool: Pool, consumer: str, requests: Sequence[Request], *, patience: float = 60.0) -> int:
    """Have the running consumer apply these, and wait until it has; returns how many.

    Raises:
        Retryable: PostgreSQL is away, or no consumer does it in time; the requests are withdrawn then.
    """
    try:
        for start in range(0, len(requests), _AT_ONCE):
            await _ask(pool, consumer, requests[start : start + _AT_ONCE], patience)
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error
    return len(requests)


async def _ask(pool: Pool, consumer: str, requests: Sequence[Request], patience: float) -> None:
    params = {
        "consumer": consumer,
        "topics": [one.topic for one in requests],
        "types": [one.type for one in requests],
        "keys": [one.key for one in requests],
        "data": [Jsonb(one.data) for one in requests],
    }
    async with pool.connection() as conn:
        ids = [row[0] for row in await (await conn.execute(_SQL["ask"], params)).fetchall()]
    deadline = monotonic() + patience
    while await _open(pool, ids):
        if monotonic() > deadline:
            async with pool.connection() as conn:
                await conn.execute(_SQL["withdraw"], (ids,))
            raise Retryable(
                f"nothing is mended: no consumer of {consumer} runs (`stunity consume {consumer}`)"
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _open(pool: Pool, ids: Sequence[int]) -> int:
    async with pool.connection() as conn:
        row = await (await conn.execute(_SQL["open"], (list(ids),))).fetchone()
    assert row is not None  # count always gives one row
    return int(row[0])


async def fulfil(source: Log, consumer: str, apply: Callable[[Sequence[Event]], Awaitable[None]]) -> None:
    """The owner's side: apply what is asked for, and say so. What is left over has its turn at the next call.

    Raises:
        Retryable: PostgreSQL is away.
    """
    for _ in range(_MOST_BATCHES):
        async with source.connection() as conn:
            rows = await (await conn.execute(_SQL["next"], (consumer, _AT_ONCE))).fetchall()
        if not rows:
            return
        await apply([Event(0, 0, at, topic, kind, key, data, {}) for _, at, topic, kind, key, data in rows])
        async with source.connection() as conn:
            await conn.execute(_SQL["done"], ([row[0] for row in rows],))
