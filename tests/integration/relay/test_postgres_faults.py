"""I1, I6: PostgreSQL restarts, waits for a standby, and writes things that the relay does not know."""

from __future__ import annotations

import os
import signal
import threading
import time

import psycopg
import pytest

from app.stack.postgres import Postgres
from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, relay_settings, running, wait_until
from tests.support.servers import Running


@pytest.mark.parametrize("how", ["fast shutdown", "immediate shutdown", "kill -9"])
def test_postgres_restarts(own: Running[Postgres], url: str, redis_url: str, mode: str, how: str) -> None:
    """A fast shutdown waits for walsenders until they have confirmed everything: the relay has to hang up."""
    with running(relay_settings(url, redis_url, mode)):
        with psycopg.connect(url, autocommit=True) as conn:
            emit_many(conn, 30)
            Streams(redis_url, conn).wait_for_all()
        began = time.monotonic()
        if how == "immediate shutdown":
            shut_down_at_once(own)
        own.stop() if how == "fast shutdown" else own.kill()
        assert time.monotonic() - began < 8
        own.start()
        with psycopg.connect(url, autocommit=True) as conn:
            emit_many(conn, 30)
            streams = Streams(redis_url, conn)
            with streams.client:
                streams.wait_for_all()
                streams.check()


def shut_down_at_once(server: Running[Postgres]) -> None:
    """SIGQUIT: no checkpoint, no good-bye to anybody; the next start recovers."""
    postmaster = server.server.data / "postmaster.pid"
    os.kill(int(postmaster.read_text().split()[0]), signal.SIGQUIT)
    wait_until(lambda: not postmaster.exists() or server.server.problem(), "the end of PostgreSQL")


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
