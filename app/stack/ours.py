"""Our own processes as parts of the stack: each is one `stunity` command in a process of its own.

One process per consumer: a consumer that dies or is slow does not hold up another. Only `worker` loads the local
embedding model; see docs/explanation/embedded-stack.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.stack import privileges
from app.stack.ports import HOST
from app.stack.process import Command

#: Longer than any of them takes to finish what it has begun.
_GRACE = 30.0

CONSUMERS = ("search", "embeddings", "feeds", "analytics")


def stunity(*arguments: str) -> list[str]:
    """The command line of one of our commands, independent of the working folder and of PATH."""
    return [sys.executable, "-P", "-m", "app.cli", *arguments]


@dataclass
class OurProcess:
    """A `stunity` command that runs until it is told to stop."""

    name: str
    arguments: tuple[str, ...]
    logs: Path
    environment: Mapping[str, str]

    @property
    def log(self) -> Path:
        """Its output."""
        return self.logs / f"{self.name}.log"

    def prepare(self) -> None:
        """Nothing to prepare."""

    def command(self) -> Command:
        """The command with the stack's settings."""
        # Two arenas: a process with many threads otherwise keeps a hundred megabytes that it does not use.
        environment = {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", **self.environment}
        command = [*privileges.dies_with_parent("TERM"), *stunity(*self.arguments)]
        return Command(command, env=environment, grace=_GRACE)

    def problem(self) -> str | None:
        """It has no address of its own: alive is well. The API's /readyz tells how far consumers are."""
        return None


@dataclass
class Api(OurProcess):
    """The HTTP API."""

    port: int = 0

    def problem(self) -> str | None:
        """None when /readyz says so."""
        try:
            answer = httpx.get(f"http://{HOST}:{self.port}/readyz", timeout=3.0)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.status_code == httpx.codes.OK else f"/readyz answers {answer.status_code}"


def processes(logs: Path, environment: Mapping[str, str], api_port: int) -> list[OurProcess]:
    """Every process of ours that the given settings call for."""
    names: list[tuple[str, tuple[str, ...]]] = []
    if environment.get("REDIS_URL"):
        names.append(("relay", ("relay",)))
        names.extend((name, ("consume", name)) for name in _consumers(environment))
    names.extend([("worker", ("worker",)), ("scheduler", ("scheduler",))])
    api = ("api", "--host", HOST, "--port", str(api_port))
    return [
        *(OurProcess(name, arguments, logs, environment) for name, arguments in names),
        Api("api", api, logs, environment, api_port),
    ]


def _consumers(environment: Mapping[str, str]) -> list[str]:
    """Those whose store is there; without it the reads answer from PostgreSQL."""
    off = {
        "search": not environment.get("TYPESENSE_HOST"),
        "embeddings": environment.get("EMBEDDING_BACKEND") == "none",
    }
    return [name for name in CONSUMERS if not off.get(name, False)]
