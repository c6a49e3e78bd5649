"""PostgreSQL and Valkey for one benchmark, in a folder of their own, with the settings of production (durable)."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import wiring
from app.stack.ports import free_ports
from app.stack.postgres import Postgres
from app.stack.process import Process
from app.stack.valkey import Valkey


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


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both, migrate, stop and delete at the end."""
    folder = Path(tempfile.mkdtemp(prefix="stunity-bench-"))
    folder.chmod(0o755)  # PostgreSQL under root runs as somebody else
    postgres_port, valkey_port = free_ports(2)
    extra = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_slot_wal_keep_size": "-1"}
    made = Servers(
        Postgres(folder, postgres_port, secrets.token_hex(16), extra), Valkey(folder, valkey_port), folder
    )
    processes = []
    try:
        for server in (made.postgres, made.valkey):
            server.prepare()
            process = Process(server)
            processes.append(process)
            process.start()
            process.wait_ready()
        made.postgres.create_database()
        wiring.migrate(made.database_url)
        yield made
    finally:
        for process in processes:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
