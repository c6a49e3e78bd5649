"""What runs in a home right now: a file that the supervisor writes and `status`, `env` and `down` read.

A process is known by pid *and* start time, so that after `kill -9` or a reboot a stranger with the same pid is
never taken for ours.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ValidationError

from app.stack.home import Home, write_private
from runtime.errors import ConfigurationError

Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]
PartState = Literal["waiting", "starting", "ready", "restarting", "stopped"]


class ProcessRef(BaseModel):
    """One process, beyond the reuse of its pid."""

    pid: int
    birth: str
    started: float

    @classmethod
    def of(cls, pid: int) -> ProcessRef | None:
        """The process with this pid, if it lives."""
        try:
            return cls(pid=pid, birth=_birth(pid), started=psutil.Process(pid).create_time())
        except (psutil.Error, OSError):
            return None

    def find(self) -> psutil.Process | None:
        """The live process, or None when it is gone or its pid has passed to another."""
        try:
            process = psutil.Process(self.pid)
            same = _birth(self.pid) == self.birth
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.Error, OSError):
            return None


def _birth(pid: int) -> str:
    """When a process began, in a way that a correction of the clock does not change."""
    if not sys.platform.startswith("linux"):
        return f"{psutil.Process(pid).create_time():.2f}"
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{ticks}"


class PartReport(BaseModel):
    """One supervised part."""

    name: str
    state: PartState
    process: ProcessRef | None = None
    port: int | None = None
    restarts: int = 0
    problem: str | None = None
    log: str


class StackState(BaseModel):
    """The whole stack."""

    supervisor: ProcessRef
    phase: Phase
    message: str = ""
    environment: dict[str, str] = {}
    external: list[str] = []
    notes: list[str] = []
    parts: list[PartReport] = []

    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self.supervisor.find() is not None

    def leftovers(self) -> list[psutil.Process]:
        """Recorded parts that live, whether or not the supervisor does."""
        found = (part.process.find() for part in self.parts if part.process)
        return [process for process in found if process is not None]


def read(home: Home) -> StackState | None:
    """The recorded state; None when there is none or it is from another version.

    Raises:
        ConfigurationError: it belongs to somebody else.
    """
    try:
        return StackState.model_validate_json(home.state_file.read_text(encoding="utf-8"))
    except PermissionError:
        raise ConfigurationError(f"the stack in {home.path} belongs to somebody else") from None
    except (OSError, ValidationError):
        return None


def write(home: Home, state: StackState) -> None:
    """Record the state; it carries connection settings, so only the owner may read it."""
    write_private(home.state_file, state.model_dump(mode="json"))


def end(processes: list[psutil.Process], grace: float) -> None:
    """Ask processes of ours to end, then kill what is left."""
    for process in processes:
        _signal(process, signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def myself() -> ProcessRef:
    """This process."""
    ref = ProcessRef.of(os.getpid())
    assert ref is not None
    return ref
