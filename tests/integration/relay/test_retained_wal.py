"""I4, I6b: the WAL that our slot keeps stays bounded, and a slot that is lost all the same is replaced without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, relay_settings, running, wait_until
from tests.support.wait import NotInTime

pytestmark = pytest.mark.parametrize("mode", ["wal"])

_MINUTES = 60
_PER_MINUTE = 2 << 20


@contextmanager
def server_setting(conn: psycopg.Connection, name: str, value: str) -> Iterator[None]:
    """ALTER SYSTEM for the length of a block."""
    conn.execute(SQL("ALTER SYSTEM SET {} = {}").format(Identifier(name), Literal(value)))
    conn.execute("SELECT pg_reload_conf()")
    yield
    conn.execute(SQL("ALTER SYSTEM RESET {}").format(Identifier(name)))
    conn.execute("SELECT pg_reload_conf()")


def pushed_out(conn: psycopg.Connection) -> None:
    """WAL of others until the slot has fallen too far behind."""
    conn.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")
    conn.execute("SELECT pg_switch_wal()")
    conn.execute("CHECKPOINT")


def left_alone(conn: psycopg.Connection) -> None:
    """From PostgreSQL 18 on a checkpoint invalidates what nobody has read for long."""
    conn.execute("CHECKPOINT")


@pytest.mark.parametrize(
    ("limit", "value", "lose"),
    [("max_slot_wal_keep_size", "1MB", pushed_out), ("idle_replication_slot_timeout", "1s", left_alone)],
)
def test_an_invalidated_slot(
    own_connection: psycopg.Connection,
    url: str,
    redis_url: str,
    mode: str,
    limit: str,
    value: str,
    lose: Callable[[psycopg.Connection], None],
) -> None:
    """A new slot, a new epoch, filled from the table; what was written meanwhile is not lost."""
    settings = relay_settings(url, redis_url, mode)
    streams = Streams(redis_url, own_connection)
    with running(settings):
        emit_many(own_connection, 30)
        streams.wait_for_all()
    slots = "SELECT wal_status FROM pg_replication_slots WHERE database = current_database()"
    with server_setting(own_connection, limit, value):
        emit_many(own_connection, 30)

        def lost() -> bool:
            lose(own_connection)
            return own_connection.execute(slots).fetchall() == [("lost",)]

        wait_until(lost, "the slot lost", timeout=30)
    with streams.client, running(settings):
        wait_until(lambda: streams.epoch == 2, "a new epoch")
        emit_many(own_connection, 30)
        streams.wait_for_all()
        streams.check(1, 2)
    assert len(own_connection.execute(slots).fetchall()) == 1


def test_an_idle_slot_follows_a_busy_database(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """I4: unrelated writes do not pile up behind us; nothing at all is sent to Redis for them."""
    start(trail_seconds=0.2, trail_bytes=1 << 20)
    emit(connection, "k")
    streams.wait_for_all()
    connection.execute("CREATE TABLE noise (v text)")
    retained = (
        "SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots"
        " WHERE database = current_database()"
    )
    entries = streams.length()
    for _ in range(8):
        connection.execute("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
    wait_until(
        lambda: (connection.execute(retained).fetchone() or (0,))[0] < 3 << 20, "the slot near the end"
    )
    assert streams.length() == entries


def test_an_hour_of_other_peoples_writes(
    own_connection: psycopg.Connection, url: str, redis_url: str, mode: str
) -> None:
    """Each minute's worth ends with what PostgreSQL writes every 15 s by itself: then a slot can let go of its WAL.

    On a server of its own: a transaction of any database keeps everybody's WAL while it is open.
    """
    streams = Streams(redis_url, own_connection)
    settings = relay_settings(url, redis_url, mode, trail_seconds=0.1, trail_bytes=1 << 20)
    most = 0
    with streams.client, running(settings):
        emit(own_connection, "k")
        streams.wait_for_all()
        own_connection.execute("CREATE TABLE noise (v text)")
        entries = streams.length()
        for _ in range(_MINUTES):
            own_connection.execute(
                "INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, %s)",
                (_PER_MINUTE // 1100,),
            )
            most = max(most, _retained(own_connection))
            _wait_until_let_go(own_connection)
        assert most < 3 * _PER_MINUTE
        assert streams.length() == entries


def _wait_until_let_go(connection: psycopg.Connection) -> None:
    try:
        wait_until(lambda: _retained(connection) < _PER_MINUTE + (1 << 20), "the slot following")
    except NotInTime as late:
        for table in ("pg_replication_slots", "pg_stat_activity", "pg_prepared_xacts"):
            late.add_note(
                f"{table}: {connection.execute(SQL('TABLE {}').format(Identifier(table))).fetchall()}"
            )
        raise


def _retained(connection: psycopg.Connection) -> int:
    """What the disk has to keep for us."""
    connection.execute("SELECT pg_log_standby_snapshot()")
    row = connection.execute(
        "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots"
        " WHERE database = current_database()"
    ).fetchone()
    assert row is not None
    return int(row[0])
