"""The relay as a process of its own, as it runs in production, and watching it from outside without slowing it down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import redis

from app.bench.backlog import Backlog
from app.bench.servers import Servers
from schemas import wire

_PATIENCE: Final = 300.0
_PREFIX: Final = "stunity"
#: Steady is what is left a moment after the load.
_SETTLING_SECONDS: Final = 1.0


class BenchFailed(Exception):
    """What was measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Drained:
    """One backlog that has gone through the relay."""

    events_per_s: float
    peak_memory_mb: float
    steady_memory_mb: float
    #: Calls that the relay made per event; what a script does inside Redis is part of its one call.
    commands_per_event: float
    bytes_per_entry: float


class RelayProcess:
    """`stunity relay` on the benchmark's servers."""

    def __init__(self, on: Servers, mode: str) -> None:
        self._on = on
        self._mode = mode
        self._redis = redis.Redis.from_url(on.redis_url)

    def settle(self) -> None:
        """Start, wait until its epoch is there with all that came before it, stop cleanly."""
        with self.running() as process:
            self._wait(self._epoch_is_open, process)

    def drain(self, backlog: Backlog) -> Drained:
        """The backlog, from the first batch in the stream to the last."""
        target = self.logged()
        before = target - backlog.events
        self._redis.xtrim(
            self.stream(), maxlen=0, approximate=False
        )  # entries of earlier rounds only take room
        self._redis.config_resetstat()
        with self.running() as process:
            self._wait(lambda: self.published() > before, process, pause=0.002)
            first, started = self.published(), time.perf_counter()
            self._wait(lambda: self.published() >= target, process)
            seconds = time.perf_counter() - started
            time.sleep(_SETTLING_SECONDS)
            return Drained(
                (target - first) / seconds,
                peak_memory_mb(process.pid),
                psutil.Process(process.pid).memory_info().rss / 2**20,
                self._calls() / backlog.events,
                self._bytes_per_entry(),
            )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process, for the length of a block."""
        environment = os.environ | {
            "DATABASE_URL": self._on.database_url,
            "REDIS_URL": self._on.redis_url,
            "LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "app.cli", "relay", "--mode", self._mode]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, done: Callable[[], bool], process: subprocess.Popen[bytes], pause: float = 0.05) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not done():
            if process.poll() is not None:
                raise BenchFailed(f"the relay ended with exit code {process.returncode}")
            if time.monotonic() > deadline:
                raise BenchFailed(f"not done after {_PATIENCE:.0f} s")
            time.sleep(pause)

    def published(self) -> int:
        """The newest outbox id in the stream; ids are given out one by one, so differences count events."""
        newest: Any = self._redis.xrevrange(self.stream(), count=3)
        return max((int(wire.head(fields).id) for _, fields in newest if b"m" in fields), default=0)

    def await_published(self, event: int, process: subprocess.Popen[bytes]) -> None:
        """Until this event is in its stream."""
        self._wait(lambda: self.published() >= event, process)

    def stream(self) -> str:
        """Where the events of the benchmark go, in the newest epoch."""
        epochs: Any = self._redis.hkeys(f"{_PREFIX}:epochs")
        return f"{_PREFIX}:{max(map(int, epochs), default=0)}:post:{{0}}"

    def _epoch_is_open(self) -> bool:
        with psycopg.connect(self._on.database_url) as conn:
            found = conn.execute(
                "SELECT epoch FROM outbox.epochs JOIN outbox.relay_state USING (epoch)"
                " WHERE mode = %s AND filled IS NOT NULL AND epoch = outbox.current_epoch()",
                (self._mode,),
            ).fetchone()
        return found is not None and self.stream().startswith(f"{_PREFIX}:{found[0]}:")

    def _calls(self) -> int:
        calls: Any = self._redis.info("commandstats")
        return int(calls.get("cmdstat_evalsha", {}).get("calls", 0))

    def _bytes_per_entry(self) -> float:
        used: Any = self._redis.memory_usage(self.stream(), samples=0)
        length: Any = self._redis.xlen(self.stream())
        return float(used or 0) / max(int(length), 1)

    def logged(self) -> int:
        """The newest id of the log."""
        with psycopg.connect(self._on.database_url) as conn:
            [(newest,)] = conn.execute("SELECT coalesce(max(id), 0) FROM outbox.events").fetchall()
        return int(newest)


def peak_memory_mb(pid: int) -> float:
    """The most that a process has ever held in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise BenchFailed(f"process {pid} is gone")
