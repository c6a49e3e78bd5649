"""Stacks of these tests' own, driven through the command line as an operator would, each in its own home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtime.settings import Settings

_KEPT = ("PATH", "LANG", "HOME", "TMPDIR")


@dataclass
class Stack:
    """One home and the commands on it; `prefix` may change the user."""

    home: Path
    prefix: list[str] = field(default_factory=list)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the developer's own settings."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "STUNITY_HOME": str(self.home), **self.extra}

    def command(self, *arguments: str) -> list[str]:
        """A command line of `stunity`."""
        return [*self.prefix, sys.executable, "-P", "-m", "app.cli", *arguments]

    def run(self, *arguments: str, expect: int = 0, env: Mapping[str, str] | None = None) -> str:
        """Run a command, check its exit code, return what it said (after a failure with its complaint)."""
        done = subprocess.run(
            self.command(*arguments),
            env={**self.environment, **(env or {})},
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        )
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def up(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Start the servers, without our processes unless asked otherwise."""
        return self.run("up", "--detach", *(arguments or ("--no-processes", "--no-typesense")), env=env)

    def status(self, expect: int = 0) -> dict[str, Any]:
        """The status document."""
        document: dict[str, Any] = json.loads(self.run("status", "--json", expect=expect))
        return document

    def part(self, name: str) -> dict[str, Any]:
        """One part of the status, whatever the state of the whole."""
        done = subprocess.run(
            self.command("status", "--json"),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        parts: dict[str, dict[str, Any]] = {part["name"]: part for part in json.loads(done.stdout)["parts"]}
        return parts[name]

    def env(self) -> dict[str, str]:
        """The settings of the running stack."""
        document: dict[str, str] = json.loads(self.run("env", "--json"))
        return document

    def recorded(self) -> dict[str, Any]:
        """What the supervisor has written down."""
        document: dict[str, Any] = json.loads((self.home / "stack.json").read_text())
        return document

    def ports(self) -> set[int]:
        """The ports chosen for this home."""
        return set(json.loads((self.home / "ports.json").read_text()).values())

    def processes(self) -> list[psutil.Process]:
        """Every live process that works on this home."""
        found = []
        for process in psutil.process_iter():
            try:
                named = str(self.home) in " ".join(process.cmdline())
                within = process.environ().get("STUNITY_HOME") == str(self.home) if not named else True
                if within and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def logs(self) -> str:
        """The ends of all logs, for a failure's message."""
        files = sorted((self.home / "logs").glob("*.log")) if (self.home / "logs").is_dir() else []
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)

    def wipe(self) -> None:
        """End everything, however broken, and remove the folder."""
        subprocess.run(
            self.command("down"), env=self.environment, capture_output=True, timeout=120, check=False
        )
        for process in self.processes():
            process.kill()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _settings_names() -> None:
    """What `Stack.environment` leaves out must stay what Settings reads."""
    assert not {name.upper() for name in Settings.model_fields} & set(_KEPT)


@contextmanager
def _folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="stunity-home-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can enter."""
    with _folder() as path:
        yield path


@pytest.fixture
def new_stack(folder: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks for one test; all of them are wiped at the end."""
    with ExitStack() as cleanup:

        def make(name: str = "home", *, prefix: list[str] | None = None, **extra: str) -> Stack:
            stack = Stack(folder / name, prefix or [], extra)
            cleanup.callback(stack.wipe)
            return stack

        yield make


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One home for a module: making it takes seconds. Each test brings it up, in whatever state it was left."""
    with _folder() as path:
        shared = Stack(path / "a home with spaces")
        yield shared
        shared.wipe()
