"""The commands as an operator types them: exit codes, one line when something is missing, JSON and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

from tests.support.outbox import Connection, add_user
from tests.support.wait import until


def stunity(database: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if database:
        environment["DATABASE_URL"] = database
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_capture(database: str, connection: Connection) -> None:
    add_user(connection, "u1")
    done = stunity(database, "capture", "remove", "--tables", "users,posts", "--json")
    assert (done.returncode, [row["state"] for row in json.loads(done.stdout)]) == (0, ["removed", "removed"])
    done = stunity(database, "capture", "status", "--json")
    assert done.returncode == 1, "tables are there and not captured"
    done = stunity(database, "capture", "install", "--policy", "warn", "--json")
    assert done.returncode == 0
    assert {row["table"]: row["state"] for row in json.loads(done.stdout)}["users"] == "installed"
    assert connection.execute(
        "SELECT value FROM outbox.settings WHERE name = 'capture_policy'"
    ).fetchone() == ("warn",)


def test_what_is_missing_is_said_in_one_line(empty_database: str) -> None:
    done = stunity(empty_database, "capture", "status", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "stunity migrate" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_generated_schemas_are_current() -> None:
    done = stunity(None, "schemas", "check")
    assert done.returncode == 0, done.stderr


async def test_the_scheduler_stops_when_it_is_told_to(database: str, connection: Connection) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.cli",
        "scheduler",
        env={**os.environ, "DATABASE_URL": database},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await until(lambda: connection.execute("SELECT 1 FROM outbox.jobs WHERE runs > 0").fetchone(), 30)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors
