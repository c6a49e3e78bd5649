"""poll mode rests on nothing that a transaction pooler takes away."""

from __future__ import annotations

import psycopg
import pytest

from outbox.relay.capability import choose_mode
from outbox.relay.ears import is_direct
from outbox.relay.store import connect
from tests.support.pooler import pooled
from tests.support.relay import Streams, emit, emit_many, relay_settings, running, wait_until


def test_the_pooler_is_one(database: str) -> None:
    """What is set in a session is gone; a transaction is not torn."""
    with pooled(database, size=2) as pooler, psycopg.connect(pooler.url, autocommit=True) as conn:
        conn.execute("SET application_name = 'mine'")
        seen = [conn.execute("SHOW application_name").fetchone() for _ in range(2)]
        assert ("mine",) in seen
        assert ("",) in seen
        with conn.transaction():
            pids = {conn.execute("SELECT pg_backend_pid()").fetchone() for _ in range(3)}
        assert len(pids) == 1
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            psycopg.connect(pooler.url, options="-c timezone=UTC")
    with connect(database, "test") as direct:
        assert is_direct(direct)


def test_everything_through_a_transaction_pooler(
    database: str, redis_url: str, streams: Streams, connection: psycopg.Connection
) -> None:
    with pooled(database) as pooler:
        settings = relay_settings(pooler.url, redis_url, "auto")
        assert choose_mode(settings) == "poll"
        with connect(pooler.url, "test") as conn:
            assert not is_direct(conn)
        emit_many(connection, 30)
        with running(settings):
            streams.wait_ready()
            for number in range(30):
                emit(connection, f"k{number % 4}")
            emit_many(connection, 3000)
            streams.wait_for_all()
            streams.check()
            second = running(settings)
            with second as waiting:
                emit_many(connection, 10)
                streams.wait_for_all()
                assert waiting.steps["after_publish"] == 0
        with running(settings):
            emit_many(connection, 10)
            streams.wait_for_all()
        streams.check()


def test_the_leader_loses_its_server_connection(
    database: str, redis_url: str, streams: Streams, connection: psycopg.Connection
) -> None:
    idle = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    with pooled(database) as pooler, running(relay_settings(pooler.url, redis_url, "poll")):
        streams.wait_ready()
        for _ in range(3):
            wait_until(lambda: connection.execute(idle).fetchone(), "a leader to end")
            emit_many(connection, 10)
        streams.wait_for_all()
        streams.check()
