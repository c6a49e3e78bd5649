"""The role of deploy/postgres/roles.sql is enough for both modes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from outbox.relay.capability import choose_mode
from tests.support.relay import Streams, emit_many, relay_settings, running, wait_until

_ROLES = Path(__file__).parents[3] / "deploy" / "postgres" / "roles.sql"


@pytest.fixture
def role_url(database: str, connection: psycopg.Connection) -> Iterator[str]:
    """A login that has nothing but the relay's role, and may replicate."""
    connection.execute(_ROLES.read_text(encoding="utf-8").encode())
    connection.execute("DROP ROLE IF EXISTS relay_login")
    connection.execute("CREATE ROLE relay_login LOGIN REPLICATION PASSWORD 'relay' IN ROLE stunity_relay")
    parts = urlsplit(database)
    yield urlunsplit(parts._replace(netloc=f"relay_login:relay@{parts.hostname}:{parts.port}"))
    connection.execute("DROP ROLE relay_login")


def test_least_privilege(
    role_url: str, redis_url: str, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    emit_many(connection, 20)
    assert choose_mode(relay_settings(role_url, redis_url, "auto")) == "wal"
    for _ in range(2):
        with running(relay_settings(role_url, redis_url, mode)):
            emit_many(connection, 20)
            streams.wait_for_all()
    streams.check()
    other = "poll" if mode == "wal" else "wal"
    streams.client.hset(
        "stunity:epochs", "4", 1
    )  # an epoch that PostgreSQL does not know: the floor is needed
    with running(relay_settings(role_url, redis_url, other)):
        wait_until(lambda: streams.epoch == 5, "a new epoch")
        emit_many(connection, 20)
        streams.wait_for_all()


def test_without_replication_the_relay_polls(
    role_url: str, redis_url: str, connection: psycopg.Connection
) -> None:
    connection.execute("ALTER ROLE relay_login NOREPLICATION")
    assert choose_mode(relay_settings(role_url, redis_url, "auto")) == "poll"
