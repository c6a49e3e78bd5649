"""`kill -9` of every server and of the supervisor, stale files, taken ports, folders that others may not enter."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from app.stack.ports import HOST
from tests.acceptance.stack.conftest import Stack
from tests.support.wait import until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user can be taken by root alone")


async def test_killed_servers_come_back(stack: Stack) -> None:
    stack.up("--no-processes")
    url = stack.env()["DATABASE_URL"]
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS one")
    before = {part["name"]: part["pid"] for part in stack.status()["parts"]}
    for pid in before.values():
        psutil.Process(pid).kill()
    for name, pid in before.items():
        await until(partial(_is_back, stack, name, pid), timeout=30, what=f"{name} is back")
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT one FROM kept").fetchone() == (1,)
    assert stack.status()["ready"]


def _is_back(stack: Stack, name: str, old: int) -> bool:
    part = stack.part(name)
    return part["state"] == "ready" and part["pid"] not in (None, old) and part["restarts"] != 0


async def test_after_kill_of_the_supervisor_up_takes_over(stack: Stack) -> None:
    stack.up()
    ports = stack.ports()
    psutil.Process(stack.status()["supervisor"]).kill()
    stack.up()
    status = stack.status()
    assert status["ready"]
    assert stack.ports() == ports
    psutil.Process(status["supervisor"]).kill()
    stack.run("down")
    await until(lambda: stack.processes() == [], timeout=20, what="nothing is left")


def test_a_lock_file_with_a_stranger_s_pid_is_no_obstacle(stack: Stack) -> None:
    stack.up()
    stack.run("down")
    lock = stack.home / "postgres" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{stack.home / 'postgres'}\n0\n1\n\n{HOST}\n0 0\nready\n")
    shutil.chown(lock, *_owner(stack.home / "postgres"))
    state = stack.recorded()
    state["supervisor"] = {"pid": os.getpid(), "birth": "an earlier boot:1", "started": 1.0}
    (stack.home / "stack.json").write_text(json.dumps(state))
    stack.up()
    assert stack.status()["ready"]


def _owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


async def test_a_taken_port_is_named_in_one_line(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    stack.home.mkdir()
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        (stack.home / "ports.json").write_text(json.dumps({"valkey": port}))
        said = stack.run("up", "--detach", "--no-processes", "--no-typesense", expect=2)
    assert f"port {port} of valkey is taken" in said
    await until(lambda: stack.processes() == [], timeout=20, what="nothing is left")


def test_a_home_that_can_t_be_made_is_named_in_one_line(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    stack.home.write_text("a file")
    said = stack.run("up", "--detach", expect=2)
    assert "set STUNITY_HOME" in said.splitlines()[-1]


@needs_root
def test_root_runs_it_in_a_folder_closed_to_others(new_stack: Callable[..., Stack], folder: Path) -> None:
    folder.chmod(0o700)
    stack = new_stack()
    stack.up()
    postgres = psutil.Process(stack.part("postgres")["pid"])
    assert postgres.uids().real != 0
    with psycopg.connect(stack.env()["DATABASE_URL"]) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert folder.stat().st_mode & 0o077 == 0
