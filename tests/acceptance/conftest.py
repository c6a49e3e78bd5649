"""A running stack of its own for the acceptance tests: real processes, started and stopped by the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from app.stack.ports import HOST, free_ports
from runtime.auth import issue
from runtime.settings import Settings
from tests.support.wait import until

_CLI = [sys.executable, "-m", "app.cli"]


@dataclass(frozen=True)
class Stack:
    """A stack in a home of its own, and its settings as `stunity env` gives them."""

    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, timeout: float = 120, check: bool = True) -> str:
        """The output of a `stunity` command."""
        done = subprocess.run(
            [*_CLI, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"stunity {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What `stunity status --json` says."""
        said: dict[str, Any] = json.loads(self.run("status", "--json", check=False))
        return said

    def connect(self) -> psycopg.Connection:
        """A connection to the truth."""
        return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)

    def person(self, user_id: str) -> httpx.Client:
        """The API as this user sees it."""
        with self.connect() as conn:
            [(role, school, version)] = conn.execute(
                'SELECT role::text, "schoolId", "schoolAccessVersion" FROM users WHERE id = %s', (user_id,)
            ).fetchall()
        secret = self.environment["JWT_SECRET"]
        token = issue(secret, user=user_id, role=role, school_id=school, version=version, ttl=3600)
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.environment["API_URL"], headers=headers, timeout=15)

    def kill(self, part: str) -> None:
        """End a part of the stack with SIGKILL, children included."""
        pid = next(found["pid"] for found in self.status()["parts"] if found["name"] == part)
        process = psutil.Process(pid)
        for victim in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):  # a backend that ended meanwhile
                victim.kill()


def start(home: Path, *options: str) -> Stack:
    """`stunity up --detach` in a home."""
    environment = {**os.environ, "STUNITY_HOME": str(home)}
    stack = Stack(home, environment)
    stack.run("up", "--detach", *options, timeout=180)
    return Stack(home, environment | json.loads(stack.run("env", "--json")))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole pipeline, running, with a small seeded network."""
    home = tmp_path_factory.mktemp("stack")
    home.parent.chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
    try:
        made = start(home)
        made.run(
            "seed", "--users", "60", "--posts", "120", "--follows", "200", "--views", "400", "--seed", "1"
        )
        yield made
    finally:
        subprocess.run(
            [*_CLI, "down"], env={**os.environ, "STUNITY_HOME": str(home)}, check=False, timeout=60
        )


@pytest.fixture(scope="session")
def lonely(stack: Stack) -> Iterator[str]:
    """Base URL of an API process with PostgreSQL and nothing else."""
    port = free_ports(1)[0]
    known = {name.upper() for name in Settings.model_fields}
    bare = {name: value for name, value in os.environ.items() if name not in known}
    bare |= {name: stack.environment[name] for name in ("DATABASE_URL", "JWT_SECRET")}
    bare |= {"STUNITY_HOME": str(stack.home / "nothing-here"), "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-P", "-m", "app.cli", "api", "--host", HOST, "--port", str(port)]
    process = subprocess.Popen(command, env=bare, cwd=stack.home)
    try:
        url = f"http://{HOST}:{port}"
        asyncio.run(until(lambda: httpx.get(f"{url}/healthz").status_code == 200, timeout=40))
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
