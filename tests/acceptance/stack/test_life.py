"""A stack's life: up, used, down, up again with the same ports, secrets and data; two homes at once."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import psycopg
import redis

from app.stack import privileges
from app.stack.postgres import Postgres
from tests.acceptance.stack.conftest import Stack
from tests.support.servers import Running
from tests.support.wait import until


def test_up_use_down_and_up_again(stack: Stack) -> None:
    stack.up("--no-processes")
    status = stack.status()
    assert status["ready"]
    assert [part["name"] for part in status["parts"]] == ["typesense", "valkey", "postgres"]
    assert "already running" in stack.up()

    first = stack.env()
    _use(first)
    for name in ("secrets.json", "stack.json"):
        assert stat.S_IMODE((stack.home / name).stat().st_mode) == 0o600

    stack.run("down")
    assert stack.processes() == []
    assert stack.status(expect=1)["running"] is False
    assert "run `stunity up`" in stack.run("env", expect=2)

    # In the same shell, after `eval "$(stunity env)"`, the environment names this very stack.
    stack.up(env=first)
    assert {*stack.env().items()} <= {*first.items()}
    with psycopg.connect(first["DATABASE_URL"]) as conn:
        assert conn.execute("SELECT one FROM kept").fetchone() == (1,)
    assert stack.status()["external"] == []


def _use(environment: dict[str, str]) -> None:
    """Everything that `env` names answers."""
    with psycopg.connect(environment["DATABASE_URL"]) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS one")
        tables = conn.execute("SELECT to_regclass('outbox.events'), to_regclass('public.posts')").fetchone()
    assert tables == ("outbox.events", "posts")
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        assert client.ping()
    base = f"http://{environment['TYPESENSE_HOST']}:{environment['TYPESENSE_PORT']}"
    headers = {"X-TYPESENSE-API-KEY": environment["TYPESENSE_API_KEY"]}
    assert httpx.get(f"{base}/collections", headers=headers).status_code == 200


def test_exports_are_what_a_shell_reads(stack: Stack) -> None:
    stack.up()
    script = f'{stack.run("env")}\nprintf %s "$DATABASE_URL $STUNITY_HOME"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"{stack.env()['DATABASE_URL']} {stack.home}"


def test_two_homes_side_by_side_one_of_an_ordinary_user(
    stack: Stack, new_stack: Callable[..., Stack], folder: Path
) -> None:
    user, prefix = _ordinary_user(folder)
    other = new_stack("other", prefix=prefix, HOME=str(folder))
    stack.up()
    other.up()
    assert stack.status()["ready"]
    owners = {psutil.Process(part["pid"]).username() for part in other.status()["parts"]}
    assert owners == {user}
    other.run("down")
    assert stack.status()["ready"]
    assert stack.ports() & other.ports() == set()


def _ordinary_user(folder: Path) -> tuple[str, list[str]]:
    """Root takes another account, able to read a clone and a Python that lie in root's own home."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name, []
    account = privileges.account_for(folder / "is not there yet")
    os.chown(folder, account.pw_uid, account.pw_gid)
    needed = [Path(__file__), Path(sys.executable).resolve()]
    return account.pw_name, privileges.as_user(account, "KILL", needed)


async def test_foreground_ends_cleanly_on_ctrl_c(stack: Stack) -> None:
    stack.run("down")
    child = await asyncio.create_subprocess_exec(
        *stack.command("up", "--no-processes", "--no-typesense"),
        env=stack.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await until(lambda: stack.recorded()["phase"] == "ready", timeout=60, what="the stack is ready")
    child.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0, err
    assert b"postgres is ready" in out
    assert b"Traceback" not in err
    assert stack.processes() == []


def test_an_external_database_is_used(
    new_stack: Callable[..., Stack], postgres_server: Running[Postgres], empty_database: str
) -> None:
    stack = new_stack(DATABASE_URL=empty_database)
    stack.up()
    status = stack.status()
    assert status["external"] == ["postgres"]
    assert [part["name"] for part in status["parts"]] == ["valkey"]
    with psycopg.connect(empty_database) as conn:
        assert conn.execute("SELECT to_regclass('outbox.events')").fetchone() == ("outbox.events",)
