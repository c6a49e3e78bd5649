"""Streams are cut behind the slowest consumer, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import redis

from consumers.engine.checkpoint import Checkpoint, StreamState
from consumers.engine.positions import NOTHING
from consumers.engine.trimming import slowest
from tests.integration.engine.conftest import FAST, Consume, Look
from tests.support.ledger import LedgerProjection
from tests.support.streams import StepRelay, emit
from tests.support.wait import until

TRIM = replace(FAST, trim=0.2)


async def test_what_every_view_has_is_dropped_everywhere(
    consume: Consume,
    ledger: LedgerProjection,
    relay: StepRelay,
    raw: redis.Redis,
    connection: psycopg.Connection,
    look: Look,
) -> None:
    relay.publish()
    async with consume(ledger, options=TRIM):
        await until(look.on_streams)
        for _ in range(4):
            ids = [emit(connection, f"k{number}") for number in range(150)]
            ids += [emit(connection, "b", topic="block", kind="block.created") for _ in range(150)]
            relay.publish()
        await until(lambda: raw.xlen(relay.key("post")) < 300, what="a stream that is read")
        await until(lambda: raw.xlen(relay.key("block")) < 300, what="a stream that nobody reads")
        last = emit(connection, "last")
        relay.publish()
        await until(look.has(last))
        assert look.on_streams()
    assert len(ledger.applied) == len(set(ledger.applied))


def test_the_slowest_decides() -> None:
    def view(**streams: tuple[int, int]) -> Checkpoint:
        states = {f"s:1:{topic}:{{0}}": StreamState(position) for topic, position in streams.items()}
        return Checkpoint("life", 1, NOTHING, 0, 0, streams=states)

    assert slowest([view(post=(9, 1), user=(7, 3)), view(post=(8, 0)), view()]) == {0: (7, 3)}
    assert slowest([view()]) == {}
