"""`stunity consume` and `stunity dlq` as processes: they start, work, and stop on SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from typer.testing import CliRunner, Result

from app.cli import build
from runtime.errors import ConfigurationError
from tests.integration.engine.conftest import PERSON
from tests.support.wait import until

LETTERS = """
INSERT INTO engine.dead_letters
       (consumer, state, waits, event_id, xid, occurred_at, topic, type, key, data, headers, reason)
SELECT 'search', 'dead', false, n, '7', now(), 'post', 'post.created.v1', 'k' || n, '{"id": "k"}', '{}', 'no'
  FROM generate_series(1, 2) n
"""


def _environment(database: str, redis_url: str) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return keep | {"DATABASE_URL": database, "REDIS_URL": redis_url, "STUNITY_HOME": "/nonexistent"}


@asynccontextmanager
async def stunity(environment: dict[str, str], *arguments: str) -> AsyncIterator[Process]:
    """A process that is gone at the end, whatever happens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_consume_until_told_to_stop(
    database: str, redis_url: str, connection: psycopg.Connection
) -> None:
    connection.execute(PERSON, ("u1", "u1@example.test"))
    environment = _environment(database, redis_url)

    def live() -> bool:
        rows = connection.execute("SELECT consumer FROM engine.checkpoints WHERE state = 'live'").fetchall()
        return {row[0] for row in rows} == {"feeds", "analytics"}

    def leases() -> int:
        row = connection.execute("SELECT count(*) FROM engine.leases WHERE owner IS NOT NULL").fetchone()
        return int(row[0]) if row else 0

    async with stunity(environment, "consume", "feeds", "analytics") as process:
        await until(live, timeout=30)
        assert leases() == 2
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    assert leases() == 0


def test_consume_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, database: str, redis_url: str) -> None:
    for name, value in _environment(database, redis_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "runtime.logs.configure", lambda *_, **__: None
    )  # not on a stream that is closed after
    for name, problem in (("search", "TYPESENSE_HOST"), ("nothing", "no consumer 'nothing'")):
        result = CliRunner().invoke(build(), ["consume", name])
        assert isinstance(result.exception, ConfigurationError)
        assert problem in str(result.exception)


def test_dlq(
    monkeypatch: pytest.MonkeyPatch, database: str, redis_url: str, connection: psycopg.Connection
) -> None:
    for name, value in _environment(database, redis_url).items():
        monkeypatch.setenv(name, value)
    connection.execute(LETTERS)

    def dlq(*arguments: str) -> Result:
        return CliRunner().invoke(build(), ["dlq", *arguments])

    listed = dlq("list", "--json")
    assert listed.exit_code == 0
    assert [one["key"] for one in json.loads(listed.stdout)] == ["k2", "k1"]
    assert "post.created.v1" in dlq("list").stdout
    assert json.loads(dlq("show", "1").stdout)["data"] == {"id": "k"}
    assert dlq("show", "99").exit_code == 1
    assert dlq("retry", "1").exit_code == 0
    assert dlq("discard", "2", "--why", "a test").exit_code == 0
    assert dlq("discard", "2", "--why", "again").exit_code == 1
    assert dlq("retry").exit_code == 2
    states = connection.execute("SELECT state, note FROM engine.dead_letters ORDER BY id").fetchall()
    assert states == [("retry", None), ("discarded", "a test")]
