"""I6 and the cost of being idle: markers come when they are wanted, and otherwise nothing comes at all."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import psycopg
import pytest

from outbox.relay import sender
from schemas.snapshot import Snapshot
from schemas.wire import Marker
from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, wait_until
from tests.support.wait import NotInTime


def test_every_stream_gets_the_same_marker(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start()
    emit(connection, "k", topic="post")
    streams.wait_for_all()
    last = {}
    for entry in streams.entries():
        if isinstance(entry.said, Marker):
            last[entry.topic] = entry.position, entry.said
    assert len(last) == 10
    assert len(set(last.values())) == 1


def test_a_waiting_reader_gets_its_marker_at_once(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """With markers every minute only NOTIFY can have asked for it."""
    start(marker_interval=60.0)
    streams.wait_ready()
    with connection.transaction():
        emit(connection, "k")
        row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    assert row is not None
    connection.execute("NOTIFY stunity_marker")
    wait_until(lambda: _seen(streams, row[0]), "a marker that sees the write", timeout=5)


@pytest.mark.parametrize("mode", ["wal"])
def test_no_marker_counts_what_the_walsender_has_not_sent(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """A commit is visible before it is decoded: here for as long as the walsender is paused."""
    start()
    emit(connection, "k")
    streams.wait_for_all()
    (walsender,) = connection.execute(
        "SELECT active_pid FROM pg_replication_slots WHERE database = current_database()"
    ).fetchone() or (0,)
    os.kill(walsender, signal.SIGSTOP)
    try:
        with connection.transaction():
            emit(connection, "k")
            row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        connection.execute("NOTIFY stunity_marker")
        with pytest.raises(NotInTime):
            wait_until(lambda: _seen(streams, row[0]), "a marker that sees the write", timeout=0.5)
    finally:
        os.kill(walsender, signal.SIGCONT)
    wait_until(lambda: _seen(streams, row[0]), "a marker that sees the write")
    streams.check()


def _seen(streams: Streams, xid: int) -> bool:
    marker = streams.newest_marker()
    return marker is not None and Snapshot.parse(marker.snapshot).sees(xid)


def test_nothing_is_sent_while_nothing_happens(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start(idle_check_interval=60.0)
    emit_many(connection, 10)
    streams.wait_for_all()
    before, calls = streams.length(), _scripts(streams)
    time.sleep(1.5)  # the one place where waiting is the point
    assert (streams.length(), _scripts(streams)) == (before, calls)


def _scripts(streams: Streams) -> int:
    stats: Any = streams.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "hmget", "xadd"))


def test_a_clean_stop_writes_the_newest_marker_down(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    relay = start(state_interval=60.0)
    emit_many(connection, 10)
    streams.wait_for_all()
    relay.stop()
    newest = streams.newest_marker()
    row = connection.execute("SELECT marker, marker_snapshot::text FROM outbox.relay_state").fetchone()
    assert newest is not None
    assert row == (newest.number, newest.snapshot)


def test_writers_notify_only_a_sleeping_relay(
    start: Start, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    """In wal mode it never sleeps; in poll mode it does after a while, and is woken at the next write."""
    asleep = "SELECT pg_sequence_last_value('outbox.relay_asleep') IS NOT NULL"
    start(poll_asleep_interval=30.0)
    emit(connection, "k1")
    streams.wait_for_all()
    if mode == "wal":
        assert connection.execute(asleep).fetchone() == (False,)
        return
    wait_until(lambda: connection.execute(asleep).fetchone() == (True,), "a sleeping relay")
    time.sleep(1.0)  # until it has seen that everybody else knows
    emit(connection, "k2")
    streams.wait_for_all(timeout=5)
    assert connection.execute(asleep).fetchone() == (False,)


@pytest.mark.parametrize("mode", ["wal"])
def test_a_backlog_is_settled_as_it_goes(
    start: Start, streams: Streams, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody remembers millions of transactions until the first marker; what is forgotten was seen before."""
    monkeypatch.setattr(sender, "_REMEMBERED", 10)
    relay = start()
    streams.wait_ready()
    relay.stop()
    for number in range(300):
        emit(connection, f"k{number % 7}")
    start(batch_events=20)
    for number in range(100):
        emit(connection, f"k{number % 7}")
    streams.wait_for_all()
    streams.check()
