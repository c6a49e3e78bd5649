"""Starts relays quickly: this process has the relay's modules loaded, and forks a real relay process per request.

A cold `stunity relay` spends a second on imports before its first statement; torture wants hundreds of deaths. What the
fork runs is what the command runs (`app.commands.relay.serve`). One JSON request per line on stdin, one reply per line:
{"environment": …, "mode": …, "changes": …} → process id; {"reap": pid} → how it ended.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import replace
from typing import Any

from app.commands.relay import Mode, relay_settings, serve
from app.environment import load_settings
from outbox.relay import service
from runtime import logs

assert service  # loaded before the fork, used by `serve`


def main() -> None:
    """Serve until stdin is closed."""
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        answer = _reap(request["reap"]) if "reap" in request else _fork(request)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _reap(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.environ.update(request["environment"])
        settings = load_settings()
        logs.configure(settings.log_level, process="relay")
        serve(replace(relay_settings(settings, Mode(request["mode"])), **request["changes"]))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
