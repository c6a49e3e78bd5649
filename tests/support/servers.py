"""Real servers for tests, in a folder of their own, fast instead of durable, killed at the end whatever happens."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import httpx
import psycopg
from psycopg import sql

from app.stack.ports import HOST, free_ports
from app.stack.postgres import Postgres
from app.stack.process import Process, Server
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey
from runtime.errors import ConfigurationError

S = TypeVar("S", bound=Server)


class TypesenseSettings(NamedTuple):
    """How to reach a Typesense server."""

    host: str
    port: int
    protocol: str
    api_key: str

    @property
    def url(self) -> str:
        """Base URL."""
        return f"{self.protocol}://{self.host}:{self.port}"


class Running(Generic[S]):
    """A started server that a test may stop, kill and start again on the same port and data."""

    def __init__(self, server: S) -> None:
        self.server = server
        self._process = Process(server)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        self.server.prepare()
        self._process = Process(self.server)
        self._process.start()
        self._process.wait_ready()

    def stop(self) -> None:
        """Ask politely and wait."""
        self._process.stop()

    def kill(self) -> None:
        """`kill -9` and wait."""
        self._process.kill()


@contextmanager
def running(make: Callable[[Path], S]) -> Iterator[Running[S]]:
    """Start what `make` builds in a fresh folder; another process may snatch a free port, so three tries."""
    home = Path(tempfile.mkdtemp(prefix="stunity-test-"))
    home.chmod(0o755)  # PostgreSQL under root runs as somebody else
    started: Running[S] | None = None
    try:
        for attempt in range(3):
            started = Running(make(home))
            try:
                started.start()
                break
            except ConfigurationError:
                started.kill()
                if attempt == 2:
                    raise
        assert started is not None
        yield started
    finally:
        if started is not None:
            started.kill()
        shutil.rmtree(home, ignore_errors=True)


def make_postgres(home: Path) -> Postgres:
    """A cluster with fsync off."""
    settings = {"log_min_messages": "error", "autovacuum_naptime": "10s", "wal_sender_timeout": "10s"}
    return Postgres(home, free_ports(1)[0], secrets.token_hex(16), settings, durable=False)


def make_valkey(home: Path) -> Valkey:
    """A server with an append-only file."""
    return Valkey(home, free_ports(1)[0])


def make_typesense(home: Path) -> Typesense:
    """A single node."""
    port, peering = free_ports(2)
    return Typesense(home, port, peering, secrets.token_hex(16))


def typesense_settings_of(server: Typesense) -> TypesenseSettings:
    """The settings that reach `server`."""
    return TypesenseSettings(HOST, server.port, "http", server.api_key)


def empty_typesense(settings: TypesenseSettings) -> None:
    """Delete all aliases and collections; what a consumer deletes in the same moment is gone as well."""

    def delete(path: str) -> None:
        answer = client.delete(path)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    with httpx.Client(
        base_url=settings.url, headers={"X-TYPESENSE-API-KEY": settings.api_key}, timeout=10
    ) as client:
        for alias in client.get("/aliases").raise_for_status().json()["aliases"]:
            delete(f"/aliases/{alias['name']}")
        for collection in client.get("/collections").raise_for_status().json():
            delete(f"/collections/{collection['name']}")


@contextmanager
def fresh_database(server: Postgres, template: str | None = None) -> Iterator[str]:
    """The URL of a new database (a copy of `template`), dropped at the end with everything that hangs on it."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        # Copying files costs half of going through the WAL, and there is no fsync to pay for here.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        conn.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template1")))
        try:
            yield server.url(name)
        finally:
            _drop(conn, name)


_RELEASE_SLOTS = """
SELECT count(*) FROM (
  SELECT CASE WHEN active_pid IS NOT NULL THEN pg_terminate_backend(active_pid, 5000) END
  FROM pg_replication_slots WHERE database = %s
) AS ended
"""


def _drop(conn: psycopg.Connection, name: str) -> None:
    """An active logical slot would keep the database from being dropped: end its reader first."""
    conn.execute(_RELEASE_SLOTS, [name])
    conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
