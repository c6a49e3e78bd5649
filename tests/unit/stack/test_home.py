"""Homes, ports and processes: what is kept, what is private, who is recognised."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
from pathlib import Path

import pytest

from app.stack import ports, privileges, state
from app.stack.home import AlreadyRunning, Home
from runtime.errors import ConfigurationError


def test_secrets_are_private_and_stay(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    assert home.secrets() == home.secrets()
    assert all(len(secret) >= 32 for secret in home.secrets().values())
    assert stat.S_IMODE((home.path / "secrets.json").stat().st_mode) == 0o600


def test_unreadable_secrets_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"secrets\.json"):
        Home(tmp_path).secrets()
    assert (tmp_path / "secrets.json").read_text() == "{"


def test_one_supervisor_per_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock(), pytest.raises(AlreadyRunning), home.lock():
        pass
    with home.lock():
        pass


def test_a_full_disk_is_told_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ConfigurationError, match="only 10 MiB are free"):
        Home(tmp_path).prepare()


def test_ports_are_different_free_and_out_of_the_way_of_outgoing_connections() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    assert all(ports.is_free(port) and port < 32_768 for port in found)


def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert f"pid {os.getpid()}" in ports.holder(port)


def test_a_process_is_known_by_pid_and_start() -> None:
    mine = state.myself()
    assert mine.find() is not None
    assert mine.model_copy(update={"birth": "another boot:1"}).find() is None
    assert mine.model_copy(update={"pid": 2**22 + 1}).find() is None


def test_a_state_of_another_version_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"pid": 1}')
    assert state.read(Home(tmp_path)) is None


@pytest.mark.parametrize(("mode", "closed"), [(0o700, True), (0o711, False), (0o755, False)])
def test_a_folder_that_the_account_can_t_pass_costs_a_capability(
    tmp_path: Path, mode: int, closed: bool
) -> None:
    account = pwd.getpwnam("nobody")
    inner = tmp_path / "closed" / "data"
    inner.mkdir(parents=True)
    inner.parent.chmod(mode)
    assert (inner.parent in privileges.closed_folders(account, inner)) is closed
