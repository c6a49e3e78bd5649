"""The relay as a process of its own, as it runs in production, and watching it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import psutil
import psycopg
import redis

from app.bench.backlog import Backlog
from app.bench.servers import Servers

_PATIENCE: Final = 300.0
_STREAMS: Final = "stunity:*:post:{*}"


class BenchFailed(Exception):
    """What was measured did not do its work."""


class RelayProcess:
    """`stunity relay` on the benchmark's servers."""

    def __init__(self, on: Servers, mode: str) -> None:
        self._on = on
        self._mode = mode
        self.peak_memory_mb = 0.0

    def settle(self) -> None:
        """Start, wait until nothing is left to publish, stop cleanly."""
        process = self._start()
        try:
            self._wait(lambda: self._published() >= self._logged(), process)
        finally:
            self._stop(process)

    def drain(self, backlog: Backlog) -> float:
        """Events per second from the first batch in the stream to the last."""
        target = self._logged()
        before = target - backlog.events
        process = self._start()
        try:
            self._wait(lambda: self._published() > before, process, pause=0.005)
            first, started = self._published(), time.perf_counter()
            self._wait(lambda: self._published() >= target, process, pause=0.005)
            seconds = time.perf_counter() - started
            self.peak_memory_mb = psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            self._stop(process)
        return (target - first) / seconds

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "DATABASE_URL": self._on.database_url,
            "REDIS_URL": self._on.redis_url,
            "LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "app.cli", "relay", "--mode", self._mode]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
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

    def _published(self) -> int:
        """The newest outbox id in the stream; ids are given out one by one, so differences count events."""
        with redis.Redis.from_url(self._on.redis_url) as client:
            newest = [self._newest(client, key) for key in client.scan_iter(_STREAMS, count=1000)]
        return max(newest, default=0)

    def _newest(self, client: redis.Redis, stream: bytes) -> int:
        entries: Any = client.xrevrange(stream, count=20)
        return max((int(fields[b"i"]) for _, fields in entries if b"i" in fields), default=0)

    def _logged(self) -> int:
        with psycopg.connect(self._on.database_url) as conn:
            [(newest,)] = conn.execute("SELECT coalesce(max(id), 0) FROM outbox.events").fetchall()
        return int(newest)
