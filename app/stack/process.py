"""One child process: what to run, and start, stop and kill of it. Restarting is the supervisor's business."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from runtime.errors import ConfigurationError

_log = structlog.get_logger()

_LARGE_LOG = 32 << 20


@dataclass(frozen=True)
class Command:
    """A command line, the variables it adds to the environment, and the signal that ends it politely."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 20.0


class Server(Protocol):
    """What `Process` and the supervisor need to know of something that runs."""

    name: str

    @property
    def log(self) -> Path:
        """The file that takes its output."""

    def prepare(self) -> None:
        """Everything before the start: folders, first initialisation, stale files. Safe to repeat."""

    def command(self) -> Command:
        """How it is started."""

    def problem(self) -> str | None:
        """None when it answers; otherwise why not, in a few words."""


class Process:
    """One run of a server's command. Not restarted, not watched."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._command = server.command()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and self.exit_code is None else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs (or was never started)."""
        return self._child.poll() if self._child else None

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C at the terminal reaches the supervisor alone."""
        _make_room(self.server.log)
        with self.server.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command.argv,
                env={**os.environ, **self._command.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when the server answers.

        Raises:
            ConfigurationError: it ended, or did not answer in time; the message carries the end of its log.
        """
        deadline = time.monotonic() + timeout
        while (problem := self.server.problem()) is not None:
            if self.exit_code is not None:
                raise ConfigurationError(
                    f"{self.server.name} ended with {self.exit_code}: {self.last_words()}"
                )
            if time.monotonic() > deadline:
                raise ConfigurationError(f"{self.server.name} is not ready after {timeout:.0f} s: {problem}")
            time.sleep(0.05)

    def signal_stop(self) -> None:
        """Ask it to end."""
        if self._child and self.exit_code is None:
            self._child.send_signal(self._command.stop_signal)

    def stop(self) -> None:
        """Ask, wait for the grace period, then kill."""
        self.signal_stop()
        self.wait()

    def wait(self, impatient: Callable[[], bool] = lambda: False) -> None:
        """Wait for the end; kill after the grace period, or as soon as `impatient` says so."""
        began = time.monotonic()
        while self._child and self.exit_code is None:
            if impatient() or time.monotonic() > began + self._command.grace:
                _log.warning("part_killed", part=self.server.name, after=round(time.monotonic() - began, 1))
                self.kill()
            time.sleep(0.02)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        if self._child and self.exit_code is None:
            self._child.kill()
            self._child.wait(10)

    def last_words(self) -> str:
        """The last line of its log."""
        return last_line(self.server.log)


def _make_room(log: Path) -> None:
    """A log that has grown large makes room for a new one; one old log is kept."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_suffix(".log.old"))


def last_line(path: Path, *, unlike: str | None = None) -> str:
    """The last line of a text file that says something, as far as its last 4 KiB hold one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return "no log"
    telling = (line.strip() for line in reversed(lines) if line.strip())
    return next((line for line in telling if unlike is None or not line.startswith(unlike)), "empty log")
