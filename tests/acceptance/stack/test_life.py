"""A stack's life: up, used, down, up again with the same ports, secrets and data; two homes at once."""

from __future__ import annotations

import asyncio
import signal
import stat
import subprocess
from collections.abc import Callable

import httpx
import psycopg
import redis

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


def test_two_homes_side_by_side(stack: Stack, new_stack: Callable[..., Stack]) -> None:
    other = new_stack("other")
    stack.up()
    other.up()
    assert stack.status()["ready"]
    assert other.status()["ready"]
    other.run("down")
    assert stack.status()["ready"]
    assert stack.ports() & other.ports() == set()


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
