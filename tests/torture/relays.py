"""Relay processes to be killed: started from the nursery or cold, waited for by their pidfd."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from outbox.relay.failpoints import VARIABLE

_ROOT = Path(__file__).parents[2]


class Victim:
    """A relay process; whoever forked it reaps it."""

    def __init__(self, pid: int, reap: Any) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._reap = reap

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end."""
        return bool(select.select([self._pidfd], [], [], seconds)[0])

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        signal.pidfd_send_signal(self._pidfd, number)

    def bury(self) -> int:
        """How it ended: an exit code, or a negative signal. Waits for it."""
        assert self.ends_within(30), f"relay {self.pid} does not end"
        os.close(self._pidfd)
        return int(self._reap())


class Nursery:
    """The other end of `nursery.py`."""

    def __init__(self, pipe_in: IO[str], pipe_out: IO[str]) -> None:
        self._in, self._out = pipe_in, pipe_out

    def start(self, mode: str, environment: dict[str, str], failpoint: str = "", **changes: Any) -> Victim:
        """A new relay."""
        variables = {**environment, VARIABLE: failpoint}
        pid = self._ask({"mode": mode, "environment": variables, "changes": changes})
        return Victim(pid, lambda: self._ask({"reap": pid}))

    def _ask(self, request: dict[str, Any]) -> int:
        self._in.write(json.dumps(request) + "\n")
        self._in.flush()
        return int(self._out.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Relays that start in milliseconds."""
    command = [sys.executable, "-m", "tests.torture.nursery"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Nursery(process.stdin, process.stdout)
        process.stdin.close()


def start_cold(mode: str, environment: dict[str, str], failpoint: str = "") -> Victim:
    """`stunity relay`, from nothing."""
    command = [sys.executable, "-m", "app.cli", "relay", "--mode", mode]
    process = subprocess.Popen(command, env={**os.environ, **environment, VARIABLE: failpoint}, cwd=_ROOT)
    return Victim(process.pid, process.wait)
