"""What goes wrong on the first day: wrong settings, no server, no tables. One line that says what, exit code 2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.settings import Settings

NOBODY = "postgresql://nobody:secret@127.0.0.1:1/none"


def said(folder: Path, *arguments: str, **environment: str) -> str:
    """The one line on standard error of a command that fails as it should."""
    known = {name.upper() for name in Settings.model_fields}
    bare = {name: value for name, value in os.environ.items() if name not in known}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *arguments],
        env={**bare, "STUNITY_HOME": str(folder), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "secret" not in done.stderr
    return done.stderr.strip().splitlines()[-1]  # a server that could not listen has said so before


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", "garbage:secret", "begins with postgresql://"),
        ("DATABASE_URL", "mysql://root:secret@host/name", "begins with postgresql://"),
        ("DATABASE_URL", "postgresql://user:secret@host/name?host-name=x", "no URL of PostgreSQL"),
        ("ANALYTICS_DATABASE_URL", "garbage", "begins with postgresql://"),
        ("REDIS_URL", "localhost:6379", "begins with redis://"),
    ],
)
def test_a_setting_that_is_no_url(tmp_path: Path, name: str, value: str, complaint: str) -> None:
    line = said(tmp_path, "dlq", "list", **{"DATABASE_URL": NOBODY, name: value})
    assert line.startswith(f"stunity: {name}: ")
    assert complaint in line


@pytest.mark.parametrize("command", ["migrate", "dlq list", "capture status"])
def test_no_server(tmp_path: Path, command: str) -> None:
    assert "PostgreSQL cannot be reached" in said(tmp_path, *command.split(), DATABASE_URL=NOBODY)


@pytest.mark.parametrize(
    "command", ["dlq list", "jobs list", "token --user x", "verify feeds", "rebuild feeds", "replay feeds"]
)
def test_no_tables(tmp_path: Path, empty_database: str, redis_url: str, command: str) -> None:
    environment = {"DATABASE_URL": empty_database, "REDIS_URL": redis_url, "JWT_SECRET": "x" * 32}
    assert "stunity migrate" in said(tmp_path, *command.split(), **environment)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("command", ["api --port", "relay --metrics-port"])
def test_a_port_that_is_taken(tmp_path: Path, database: str, taken: int, command: str) -> None:
    assert str(taken) in said(tmp_path, *command.split(), str(taken), DATABASE_URL=database)


def test_names_of_nothing(tmp_path: Path, database: str) -> None:
    environment = {"DATABASE_URL": database, "EMBEDDING_BACKEND": "none"}
    for command in ("list", "retry --all"):
        assert "feeds" in said(tmp_path, "dlq", *command.split(), "--consumer", "nope", **environment)
    assert "rebuilds" in said(tmp_path, "worker", "--queue", "nope", **environment)
