"""The servers of one benchmark, in a folder of their own, with the settings of production (durable)."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from app import wiring
from app.stack.ports import HOST, free_ports
from app.stack.postgres import Postgres
from app.stack.process import Process, Server
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are reached."""

    postgres: Postgres
    valkey: Valkey
    folder: Path

    @property
    def database_url(self) -> str:
        """The migrated database."""
        return self.postgres.url()

    @property
    def redis_url(self) -> str:
        """An empty Valkey."""
        return self.valkey.url()

    @property
    def environment(self) -> dict[str, str]:
        """How a process of its own reaches both."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@dataclass(frozen=True, slots=True)
class SearchServers:
    """The truth, an empty Typesense, and a Valkey for what runs between them."""

    postgres: Postgres
    typesense: Typesense
    valkey: Valkey
    folder: Path

    @property
    def database_url(self) -> str:
        """The migrated database."""
        return self.postgres.url()

    @property
    def settings(self) -> Settings:
        """How search reaches both."""
        return Settings(
            database_url=self.database_url,
            typesense_host=HOST,
            typesense_port=self.typesense.port,
            typesense_api_key=SecretStr(self.typesense.api_key),
        )

    @property
    def environment(self) -> dict[str, str]:
        """How a process of its own reaches all three."""
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.valkey.url(),
            "TYPESENSE_HOST": HOST,
            "TYPESENSE_PORT": str(self.typesense.port),
            "TYPESENSE_API_KEY": self.typesense.api_key,
        }


@contextmanager
def servers(**settings: str) -> Iterator[Servers]:
    """PostgreSQL (with these settings), migrated, and Valkey; stopped and deleted at the end."""
    with _folder() as folder:
        postgres_port, valkey_port = free_ports(2)
        postgres = _postgres(folder, postgres_port, settings)
        made = Servers(postgres, Valkey(folder, valkey_port), folder)
        with _running(made.postgres, made.valkey):
            made.postgres.create_database()
            wiring.migrate(made.database_url)
            yield made


@contextmanager
def search_servers() -> Iterator[SearchServers]:
    """PostgreSQL, migrated, Typesense and Valkey; stopped and deleted at the end."""
    with _folder() as folder:
        postgres_port, port, peering, valkey_port = free_ports(4)
        typesense = Typesense(folder, port, peering, secrets.token_hex(16))
        made = SearchServers(_postgres(folder, postgres_port), typesense, Valkey(folder, valkey_port), folder)
        with _running(made.postgres, made.typesense, made.valkey):
            made.postgres.create_database()
            wiring.migrate(made.postgres.url())
            yield made


def _postgres(folder: Path, port: int, settings: Mapping[str, str] | None = None) -> Postgres:
    extra = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_slot_wal_keep_size": "-1"}
    extra |= settings or {}
    return Postgres(folder, port, secrets.token_hex(16), extra)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stunity-bench-"))
    folder.chmod(0o755)  # PostgreSQL under root runs as somebody else
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(*servers: Server) -> Iterator[None]:
    processes = []
    try:
        for server in servers:
            server.prepare()
            process = Process(server)
            processes.append(process)
            process.start()
            process.wait_ready()
        yield
    finally:
        for process in processes:
            process.kill()
