"""I5: one relay publishes; the second waits and takes over; a first one that wakes up again publishes nothing."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from outbox.relay import session
from outbox.relay.errors import Fenced, Moved, StandBy
from outbox.relay.keyspace import Keyspace
from outbox.relay.leader import Leadership
from outbox.relay.link import RedisLink
from outbox.relay.position import Position
from outbox.relay.publisher import Publisher
from schemas.topics import TOPICS
from schemas.wire import End
from tests.integration.relay.conftest import Start
from tests.support.processes import real_relay
from tests.support.relay import Died, Streams, emit_many, wait_until


def test_the_second_stands_by_and_takes_over(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    first = start()
    streams.wait_ready()
    second = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    assert second.steps["after_publish"] == 0
    first.stop()
    began = time.monotonic()
    emit_many(connection, 20)
    streams.wait_for_all()
    assert time.monotonic() - began < 5
    assert second.steps["after_publish"] > 0
    streams.check()


def test_relays_of_both_modes_do_not_work_at_once(
    start: Start, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    start()
    streams.wait_ready()
    other = start(mode="poll" if mode == "wal" else "wal")
    for _ in range(10):
        emit_many(connection, 5)
        streams.wait_for_all()
    assert other.steps["after_publish"] == 0
    assert streams.epoch == 1


def test_a_paused_relay_is_succeeded_and_publishes_nothing_when_it_wakes(
    database: str,
    redis_url: str,
    mode: str,
    streams: Streams,
    connection: psycopg.Connection,
    tmp_path: Path,
) -> None:
    """SIGSTOP is what a long pause of the machine looks like; its sockets stay open."""
    with real_relay(tmp_path / "first", database, redis_url, mode) as first:
        first.wait_for("relay_started")
        emit_many(connection, 20)
        streams.wait_for_all()
        first.send_signal(signal.SIGSTOP)
        with real_relay(tmp_path / "second", database, redis_url, mode) as second:
            emit_many(connection, 20)
            second.wait_for("relay_started")
            streams.wait_for_all()
            first.send_signal(signal.SIGCONT)
            first.wait_for("standing_by")
            for _ in range(5):
                emit_many(connection, 10)
                streams.wait_for_all()
            streams.check()
            assert {first.poll(), second.poll()} == {None}
            assert "redis_lost_confirmed_entries" not in second.log.read_text("utf-8")


@pytest.mark.parametrize("mode", ["wal"])
@pytest.mark.parametrize("wrong_by", [-86400.0, 86400.0])
def test_a_clock_that_is_wrong_ends_nobody(
    start: Start,
    streams: Streams,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    wrong_by: float,
) -> None:
    """What PostgreSQL shows of a reader's last word is the reader's own time."""
    clock = SimpleNamespace(time=lambda: time.time() + wrong_by, monotonic=time.monotonic)
    monkeypatch.setattr(session, "time", clock)
    start(dead_after=1.0)
    streams.wait_ready()
    fence = connection.execute("SELECT fence FROM outbox.relay_state").fetchone()
    start(dead_after=1.0)
    until = time.monotonic() + 2.0  # twice as long as a silent one would live
    while time.monotonic() < until:
        emit_many(connection, 5)
        streams.wait_for_all()
    assert connection.execute("SELECT fence FROM outbox.relay_state").fetchone() == fence
    streams.check()


@pytest.fixture
def link(redis_url: str) -> RedisLink:
    return RedisLink(redis_url, 5.0, threading.Event(), 0.1)


@pytest.fixture
def publisher_of(link: RedisLink) -> Callable[[int], Publisher]:
    return lambda fence: Publisher(link, Keyspace("stunity", 1, TOPICS), 1, fence)


def test_the_fence(publisher_of: Callable[[int], Publisher], link: RedisLink) -> None:
    first, second = publisher_of(1), publisher_of(2)
    first.seize()
    first.mark("3:3:", Position(1, 0), 0)
    assert second.seize()
    with pytest.raises(Fenced):
        first.mark("4:4:", Position(1, 0), 0)
    with pytest.raises(Fenced):
        first.seize()
    second.mark("4:4:", Position(1, 0), 0)
    second.end(2)
    assert not publisher_of(3).seize()
    with pytest.raises(Moved):
        second.mark("5:5:", Position(1, 0), 0)
    link.close()


def test_an_end_that_broke_off_between_partitions_is_carried_through(
    link: RedisLink, streams: Streams
) -> None:
    """Readers of every partition have to learn where the next epoch is."""

    def die(step: str) -> None:
        raise Died(step)

    names = Keyspace("stunity", 1, TOPICS)
    dying = Publisher(link, names, 2, 1, on_step=die)
    dying.seize()
    with pytest.raises(Died):
        dying.end(2)
    second = Publisher(link, names, 2, 2)
    assert not second.seize()
    second.end(2)
    last = {(entry.topic, entry.partition): entry for entry in streams.entries(1, partitions=2)}
    assert len(last) == 2 * len(TOPICS)
    assert {(entry.n, entry.said) for entry in last.values()} == {(1, End(2))}
    link.close()


def test_leadership_ends_with_its_server_process(database: str, connection: psycopg.Connection) -> None:
    woken = threading.Event()
    first = Leadership(database, 1.0, woken.set)
    with pytest.raises(StandBy):
        Leadership(database, 1.0, woken.set)
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stunity-relay-leader'"
    )
    assert woken.wait(5)
    with pytest.raises(Exception, match="lost"):
        first.check()
    second = Leadership(database, 1.0, woken.set)
    second.check()
    second.release()
    first.release()
    Leadership(database, 1.0, woken.set).release()


def test_a_silent_leader_is_ended_by_the_server(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leadership, "_beat", lambda _: None)
    first = Leadership(database, 1.0, lambda: None)
    monkeypatch.undo()
    found: list[Leadership] = []

    def succeeded() -> bool:
        try:
            found.append(Leadership(database, 1.0, lambda: None))
        except StandBy:
            return False
        return True

    wait_until(succeeded, "a successor", timeout=5)
    found[0].release()
    first.release()


def test_waiting_holds_nothing_back(database: str, connection: psycopg.Connection) -> None:
    """The leader's transaction keeps neither dead rows alive nor a new slot from being made."""
    leader = Leadership(database, 2.0, lambda: None)
    row = connection.execute(
        "SELECT backend_xid, backend_xmin, state FROM pg_stat_activity WHERE application_name = 'stunity-relay-leader'"
    ).fetchone()
    assert row == (None, None, "idle in transaction")
    leader.release()
