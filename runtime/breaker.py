"""Circuit breakers for reads, one per store and process: a store that is down costs a few requests, not all.

Only outages count as failures; a bug or a bad request says nothing about the store's health.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from runtime import postgres, redis
from runtime.errors import Retryable

T = TypeVar("T")

#: What a store that is away looks like: its own client's errors where a view let them through, or a timeout.
OUTAGE: Final = (Retryable, *postgres.TRANSIENT, *redis.TRANSIENT)

FAILURES_BEFORE_OPEN: Final = 3
SECONDS_OPEN: Final = 3.0


class Breakers:
    """The breakers of one process, by store name."""

    def __init__(self, *, threshold: int = FAILURES_BEFORE_OPEN, ttl: float = SECONDS_OPEN) -> None:
        self._factory = AsyncCircuitBreakerFactory(
            default_threshold=threshold,
            default_ttl=ttl,
            exclude=[(BaseException, _says_nothing_of_the_store)],
        )

    async def call(self, store: str, function: Callable[[], Awaitable[T]], timeout: float) -> T:
        """Run `function` unless the circuit of `store` is open.

        Raises:
            Retryable: the circuit is open, the call took longer than `timeout` seconds, or the store is away.
        """
        breaker = await self._factory.get_breaker(store)
        try:
            async with breaker, asyncio.timeout(timeout):
                return await function()
        except OpenedState as circuit:
            circuit.with_traceback(None)  # purgatory raises one object for all: it would collect every frame
            raise Retryable(f"{store}: circuit open") from None
        except OUTAGE as error:
            raise Retryable(f"{store}: {error or type(error).__name__}") from error


def _says_nothing_of_the_store(error: BaseException) -> bool:
    return not isinstance(error, OUTAGE)
