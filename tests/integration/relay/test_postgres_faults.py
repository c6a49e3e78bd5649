"""I1, I4: PostgreSQL restarts, keeps little WAL for us, and writes things that the relay does not know."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from secrets import token_hex

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from app import wiring
from app.stack.postgres import Postgres
from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, relay_settings, running, wait_until
from tests.support.servers import Running, make_postgres
from tests.support.servers import running as started


@pytest.fixture(scope="module")
def own() -> Iterator[Running[Postgres]]:
    """A server that these tests may restart and reconfigure, with a migrated template."""
    with started(make_postgres) as server:
        server.server.create_database("own")
        wiring.migrate(server.server.url("own"))
        yield server


@pytest.fixture
def url(own: Running[Postgres]) -> str:
    """A database that outlives a restart; the server goes with the last test."""
    name = f"own_{token_hex(4)}"
    with psycopg.connect(own.server.url("postgres"), autocommit=True) as conn:
        conn.execute(SQL("CREATE DATABASE {} TEMPLATE own").format(Identifier(name)))
    return own.server.url(name)


@pytest.fixture
def own_connection(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize("how", ["fast shutdown", "kill -9"])
def test_postgres_restarts(own: Running[Postgres], url: str, redis_url: str, mode: str, how: str) -> None:
    """A fast shutdown waits for walsenders until they have confirmed everything: the relay has to hang up."""
    with running(relay_settings(url, redis_url, mode)):
        with psycopg.connect(url, autocommit=True) as conn:
            emit_many(conn, 30)
            Streams(redis_url, conn).wait_for_all()
        began = time.monotonic()
        own.stop() if how == "fast shutdown" else own.kill()
        assert time.monotonic() - began < 8
        own.start()
        with psycopg.connect(url, autocommit=True) as conn:
            emit_many(conn, 30)
            streams = Streams(redis_url, conn)
            with streams.client:
                streams.wait_for_all()
                streams.check()


@pytest.mark.parametrize("mode", ["wal"])
def test_an_invalidated_slot(
    own: Running[Postgres], own_connection: psycopg.Connection, url: str, redis_url: str, mode: str
) -> None:
    settings = relay_settings(url, redis_url, mode)
    streams = Streams(redis_url, own_connection)
    with running(settings):
        emit_many(own_connection, 30)
        streams.wait_for_all()
    own_connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    own_connection.execute("SELECT pg_reload_conf()")
    emit_many(own_connection, 30)

    def lost() -> bool:
        own_connection.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")
        own_connection.execute("SELECT pg_switch_wal()")
        own_connection.execute("CHECKPOINT")
        row = own_connection.execute(
            "SELECT wal_status FROM pg_replication_slots WHERE database = current_database()"
        ).fetchone()
        return row == ("lost",)

    wait_until(lost, "the slot lost", timeout=30)
    with streams.client, running(settings):
        wait_until(lambda: streams.epoch == 2, "a new epoch")
        emit_many(own_connection, 30)
        streams.wait_for_all()
        streams.check(1, 2)
    slots = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
    assert len(own_connection.execute(slots).fetchall()) == 1
    own_connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
    own_connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("mode", ["wal"])
def test_a_synchronous_standby_that_does_not_answer(
    own_connection: psycopg.Connection, url: str, redis_url: str, mode: str
) -> None:
    """The walsender sends what nobody else sees yet; no marker may count it as seen or settled (I6)."""
    streams = Streams(redis_url, own_connection)
    with streams.client, running(relay_settings(url, redis_url, mode)):
        streams.wait_ready()
        own_connection.execute("SET synchronous_commit = local")  # our own commits do not wait
        own_connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        own_connection.execute("SELECT pg_reload_conf()")
        wait_until(
            lambda: own_connection.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",),
            "the setting",
        )
        with psycopg.connect(url) as other:
            unseen = emit(other, "k")
            committing = threading.Thread(target=other.commit)
            committing.start()
            try:
                wait_until(lambda: unseen in streams.ids(), "the entry in its stream")
                assert streams.committed() == []
                before = streams.newest_marker()
                own_connection.execute("NOTIFY stunity_marker")
                wait_until(lambda: streams.newest_marker() != before, "another marker")
                streams.check_markers()
            finally:
                own_connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
                own_connection.execute("SELECT pg_reload_conf()")
                committing.join(10)
        streams.wait_for_all()
        streams.check()


def test_messages_truncation_and_other_tables(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start()
    streams.wait_ready()
    connection.execute("CREATE TABLE noise (v text)")
    emit(connection, "k1")
    with connection.transaction():
        connection.execute("SELECT pg_logical_emit_message(true, 'theirs', 'x')")
        connection.execute("INSERT INTO noise SELECT repeat('x', 100) FROM generate_series(1, 100)")
        emit(connection, "k2")
        connection.execute("TRUNCATE noise")
    connection.execute("SELECT pg_logical_emit_message(false, 'theirs', 'y')")
    connection.execute("UPDATE outbox.events SET data = '{\"redacted\": true}' WHERE key = 'k1'")
    emit(connection, "k3")
    streams.wait_for_all()
    streams.check()
    connection.execute("TRUNCATE outbox.events")
    last = emit(connection, "k4")
    streams.wait_for_all()
    assert streams.ids()[-1] == last


@pytest.mark.parametrize("mode", ["wal"])
def test_another_table_in_the_publication(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start()
    connection.execute("CREATE TABLE noise (v text)")
    connection.execute("ALTER PUBLICATION stunity_outbox ADD TABLE noise")
    with connection.transaction():
        connection.execute("INSERT INTO noise VALUES ('a')")
        emit(connection, "k1")
        connection.execute("INSERT INTO noise VALUES ('b')")
        emit(connection, "k2")
    streams.wait_for_all()
    streams.check()


@pytest.mark.parametrize("mode", ["wal"])
def test_a_column_that_a_later_version_adds(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start()
    emit(connection, "k1")
    connection.execute("ALTER TABLE outbox.events ADD COLUMN note text DEFAULT 'n'")
    emit(connection, "k2")
    streams.wait_for_all()
    streams.check()


@pytest.mark.parametrize("mode", ["wal"])
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


def test_log_of_a_terminated_backend_is_no_loss(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start()
    for _ in range(3):
        emit_many(connection, 10)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'stunity-relay%' AND datname = current_database()"
        )
    emit_many(connection, 10)
    streams.wait_for_all()
    streams.check()
