"""Fixtures: a relay on this test's stores, in either mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from app import wiring
from app.stack.postgres import Postgres
from tests.support.relay import RunningRelay, Streams, relay_settings, running
from tests.support.servers import Running, make_postgres
from tests.support.servers import running as started

Start = Callable[..., RunningRelay]


@pytest.fixture(params=["wal", "poll"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both modes keep the same promises."""
    return str(request.param)


@pytest.fixture
def start(database: str, redis_url: str, mode: str) -> Iterator[Start]:
    """Starts relays that are stopped at the end of the test."""
    with ExitStack() as stack:

        def start_one(dies_at: tuple[str, int] | None = None, **changes: Any) -> RunningRelay:
            settings = relay_settings(database, redis_url, changes.pop("mode", mode), **changes)
            return stack.enter_context(running(settings, dies_at))

        yield start_one


@pytest.fixture
def streams(redis_url: str, connection: psycopg.Connection) -> Iterator[Streams]:
    """What the relay has written."""
    found = Streams(redis_url, connection)
    with found.client:
        yield found


@pytest.fixture
def another(database: str) -> Iterator[Callable[[], psycopg.Connection]]:
    """Connections of other writers; nothing is committed by itself."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(psycopg.connect(database))


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
