"""`stunity relay` as a process of its own, to be stopped, paused and killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.relay import wait_until


class RelayProcess(subprocess.Popen[bytes]):
    """Writes its log to `log`, where tests wait for what it says."""

    log: Path

    def wait_for(self, event: str) -> None:
        """Until it has logged `event`; a start takes a second or two."""
        wait_until(lambda: event in self.log.read_text("utf-8"), f"{event} in the relay's log", timeout=30)


@contextmanager
def real_relay(
    log: Path, database: str, redis_url: str, mode: str, **environment: str
) -> Iterator[RelayProcess]:
    """A relay with the settings of production; killed at the end of the block."""
    variables = {**os.environ, "DATABASE_URL": database, "REDIS_URL": redis_url, **environment}
    command = [sys.executable, "-m", "app.cli", "relay", "--mode", mode]
    with log.open("wb") as output:
        process = RelayProcess(command, env=variables, stdout=output, stderr=output)
    process.log = log
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
