"""Anything may happen to Redis and to the process, in any order: in the end the view has every event."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import pytest
import redis

from schemas import wire
from schemas.topics import TOPICS
from tests.integration.engine.conftest import Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.streams import StepRelay, emit
from tests.support.wait import until

STEPS = 40


class Torture:
    """One thing after the other, as the dice fall."""

    def __init__(
        self,
        seed: int,
        relay: StepRelay,
        raw: redis.Redis,
        connection: psycopg.Connection,
        ledger: LedgerProjection,
        consume: Consume,
    ) -> None:
        self._dice = random.Random(seed)
        self._relay = relay
        self._raw = raw
        self._conn = connection
        self._ledger = ledger
        self._consume = consume
        self._running = AsyncExitStack()
        self.latest: dict[str, int] = {}
        self.facts: list[int] = []

    async def run(self, look: Look) -> None:
        """All steps, on a view that has been filled; the consumer runs at the end."""
        await self.restart()
        await until(look.live)
        often = [self.write, self.publish]
        steps = [*often, *often, self.lose, self.flush, self.trim, self.roll_back, self.end_epoch]
        steps += [self.restart, self.outage]
        for _ in range(STEPS):
            await self._dice.choice(steps)()
            await asyncio.sleep(
                self._dice.choice([0, 0, 0.01, 0.05])
            )  # not waiting for anything: letting it race

    async def write(self) -> None:
        """Some events, also in one transaction."""
        with self._conn.transaction():
            for _ in range(self._dice.randint(1, 30)):
                key = f"k{self._dice.randint(1, 12)}"
                if self._dice.random() < 0.3:
                    self.facts.append(emit(self._conn, key, topic="engagement", kind="like.created"))
                else:
                    self.latest[f"post/{key}"] = emit(self._conn, key)

    async def publish(self) -> None:
        """The relay does its work."""
        self._relay.publish(marker=self._dice.random() < 0.7)

    async def lose(self) -> None:
        """Entries of some keys never arrive."""
        self._relay.publish(lose=[f"k{self._dice.randint(1, 12)}" for _ in range(3)])

    async def flush(self) -> None:
        """Redis has lost everything; the relay notices and begins anew."""
        self._raw.flushall()
        self._relay.forget()

    async def trim(self) -> None:
        """Somebody cuts a stream."""
        self._raw.xtrim(self._relay.key(self._dice.choice(TOPICS)), maxlen=1, approximate=False)

    async def roll_back(self) -> None:
        """A stream stands where it stood before the last round; the relay can't send it again, and says so."""
        topic = self._dice.choice(("post", "engagement"))
        key = self._relay.key(topic)
        dump, number = self._raw.dump(key), self._relay.number_of(key)
        self._relay.publish()
        if dump is not None:
            self._raw.restore(key, 0, dump, replace=True)
            self._relay.set_number(key, number)
            self._relay.add(topic, wire.Gap())

    async def end_epoch(self) -> None:
        """The relay begins a new epoch."""
        self._relay.publish()
        self._relay.end_epoch()

    async def restart(self) -> None:
        """The consumer stops and starts."""
        await self._running.aclose()
        await self._running.enter_async_context(self._consume(self._ledger))

    async def outage(self) -> None:
        """The view's store is away for a moment."""
        self._ledger.away = True
        await self.write()
        await self.publish()
        await asyncio.sleep(0.02)
        self._ledger.away = False

    async def stop(self) -> None:
        """The consumer is gone."""
        self._ledger.away = False
        await self._running.aclose()


@asynccontextmanager
async def stopped_after(torture: Torture) -> AsyncIterator[None]:
    """Whatever happens."""
    try:
        yield
    finally:
        await torture.stop()


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_missed(
    seed: int,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    ledger: LedgerProjection,
    consume: Consume,
    look: Look,
) -> None:
    torture = Torture(seed, relay, raw, connection, ledger, consume)
    async with stopped_after(torture):
        await torture.run(look)
        relay.publish()
        await until(
            lambda: look.latest() == torture.latest and look.facts() == sorted(torture.facts), timeout=20
        )
        relay.publish()
        relay.publish()
        await until(look.on_streams, timeout=20)
        await torture.write()
        relay.publish()
        await until(
            lambda: look.latest() == torture.latest and look.facts() == sorted(torture.facts), timeout=20
        )
        assert look.letters() == []
