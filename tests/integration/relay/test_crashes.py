"""I1 under crashes: a relay that dies at any step, several times, leaves every event in its stream exactly once."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from outbox.relay.position import Position
from schemas.envelope import Event
from schemas.topics import TOPICS
from schemas.wire import Gap
from tests.integration.relay.conftest import Start
from tests.support.processes import real_relay
from tests.support.relay import Streams, emit, emit_many, wait_until

_STEPS = {
    "wal": [
        "slot_created",
        "epoch_begun",
        "after_read",
        "before_publish",
        "after_publish",
        "after_marker",
        "before_save",
        "before_confirm",
        "after_confirm",
    ],
    "poll": [
        "epoch_begun",
        "round_stored",
        "after_read",
        "before_publish",
        "after_publish",
        "after_marker",
        "before_save",
        "before_confirm",
    ],
}


@pytest.fixture
def writing(database: str) -> Iterator[threading.Event]:
    """Transactions of one to five events about few keys, until the test says stop."""
    stop = threading.Event()

    def write() -> None:
        dice = random.Random(7)
        with psycopg.connect(database) as conn:
            while not stop.wait(0.005):
                for _ in range(dice.randint(1, 5)):
                    emit(conn, f"k{dice.randint(0, 9)}")
                conn.rollback() if dice.random() < 0.1 else conn.commit()

    writer = threading.Thread(target=write)
    writer.start()
    yield stop
    stop.set()
    writer.join(10)


@pytest.mark.parametrize(("mode", "step"), [(mode, step) for mode in _STEPS for step in _STEPS[mode]])
def test_dying_at_a_step(
    start: Start,
    streams: Streams,
    step: str,
    connection: psycopg.Connection,
    writing: threading.Event,
) -> None:
    emit_many(connection, 40)
    passes = [0, 1, 4] if step not in ("slot_created", "epoch_begun") else [0]
    for passed in passes:
        relay = start(dies_at=(step, passed), batch_events=10, trail_seconds=0.3)
        relay.wait_until_dead()
    start(batch_events=10, trail_seconds=0.3)
    writing.set()
    streams.wait_for_all()
    streams.check()


def test_dying_in_the_middle_of_a_large_transaction(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start().stop()
    emit_many(connection, 3000)
    for passed in (2, 5):
        relay = start(dies_at=("after_publish", passed), batch_events=100)
        relay.wait_until_dead()
    assert 0 < streams.count() < 3000
    start(batch_events=100)
    streams.wait_for_all()
    streams.check()


def test_dying_when_a_gap_has_been_told(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """The next one finds it, and does not tell it again."""
    relay = start(trail_seconds=0.1)
    emit_many(connection, 20)
    streams.wait_for_all()
    told = "SELECT confirmed_progress[1] FROM outbox.relay_state"
    newest = max(entry.position for entry in streams.entries() if isinstance(entry.said, Event))
    wait_until(
        lambda: Position.parse((connection.execute(told).fetchone() or ("",))[0] or "") >= newest, "confirmed"
    )
    relay.stop()
    streams.client.flushall()
    start(dies_at=("gap_told", 0)).wait_until_dead()
    later = emit(connection, "later")
    start()
    streams.wait_for_all()
    for topic in TOPICS:
        said = [entry.said for entry in streams.entries() if entry.topic == topic]
        assert said[0] == Gap()
        assert said.count(Gap()) == 1
    assert streams.ids() == [later]


@pytest.mark.parametrize("mode", ["poll"])
def test_dying_before_it_sleeps(start: Start, streams: Streams, connection: psycopg.Connection) -> None:
    relay = start(dies_at=("before_sleep", 0))
    emit_many(connection, 20)
    relay.wait_until_dead()
    emit_many(connection, 20)
    start()
    streams.wait_for_all()
    streams.check()


def test_killing_the_real_process(
    database: str, redis_url: str, mode: str, streams: Streams, writing: threading.Event, tmp_path: Path
) -> None:
    for number in range(2):
        with real_relay(tmp_path / str(number), database, redis_url, mode) as process:
            streams.wait_for_more(100)
            process.send_signal(signal.SIGKILL)
    with real_relay(tmp_path / "last", database, redis_url, mode) as process:
        writing.set()
        streams.wait_for_all(timeout=30)
        streams.check()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
