"""Valkey (the free Redis) from the wheel: start command and health. Append-only file every second, never evicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

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
    password: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str = "valkey"

    @property
    def data(self) -> Path:
        """Where the append-only file lies."""
        return self.home / "valkey"

    @property
    def _configuration(self) -> Path:
        return self.data / "valkey.conf"

    @property
    def log(self) -> Path:
        """Server log."""
        return self.home / "logs" / "valkey.log"

    def url(self, db: int = 0) -> str:
        """Connection URL."""
        credentials = f":{quote(self.password)}@" if self.password else ""
        return f"redis://{credentials}{HOST}:{self.port}/{db}"

    def prepare(self) -> None:
        """Make the data folder and write the configuration, out of sight of `ps` because of the password."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {**_SETTINGS, "port": str(self.port), "dir": str(self.data.resolve()), **self.settings}
        if self.password:
            settings["requirepass"] = self.password
        text = "".join(f'{key} "{value}"\n' for key, value in settings.items())
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(text, encoding="utf-8")

    def command(self) -> Command:
        """The server in the foreground."""
        server = [str(binaries.valkey_server()), str(self._configuration.resolve())]
        return Command([*privileges.dies_with_parent("TERM"), *server])

    def problem(self) -> str | None:
        """None when it answers PING and has finished loading."""
        once = Retry(NoBackoff(), 0)
        with redis.Redis.from_url(
            self.url(), socket_timeout=2, socket_connect_timeout=1, retry=once
        ) as client:
            try:
                client.ping()
            except (redis.RedisError, OSError) as error:
                return str(error)
        return None
