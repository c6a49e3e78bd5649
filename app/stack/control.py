"""The stack seen from outside its supervisor: start one in the background, wait for it, stop it, ask how it is."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil

from app.stack import ours, state
from app.stack.home import Home
from app.stack.process import last_line
from app.stack.state import StackState
from runtime.errors import ConfigurationError

_POLL = 0.1
#: The supervisor itself waits for its parts' grace periods; after this it is taken to hang.
_STOP_TIMEOUT = 75.0


def running(home: Home) -> StackState:
    """The state of the running stack.

    Raises:
        ConfigurationError: nothing is running.
    """
    found = state.read(home)
    if found is None or not found.running():
        raise ConfigurationError(f"no stack is running in {home.path}: run `stunity up`")
    return found


def start_detached(
    home: Home, arguments: list[str], observe: Callable[[StackState], None], timeout: float
) -> None:
    """Start a supervisor that outlives this process and return when everything is ready.

    Raises:
        ConfigurationError: it ended, or is not ready in time (then it is left running, to be looked at).
    """
    home.prepare()
    log = home.logs / "supervisor.log"
    with log.open("ab") as out:
        child = subprocess.Popen(
            ours.stunity("up", *arguments),
            env={**os.environ, "STUNITY_HOME": str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout
    while True:
        found = state.read(home)
        if found and found.supervisor.pid == child.pid:
            observe(found)
            if found.phase == "ready":
                return
            if found.phase == "failed":
                raise ConfigurationError(found.message)
        if child.poll() is not None:
            raise ConfigurationError(f"the stack did not start: {last_line(log)} (see {log})")
        if time.monotonic() > deadline:
            raise ConfigurationError(f"not ready after {timeout:.0f} s: see `stunity status` and {home.logs}")
        time.sleep(_POLL)


def stop(home: Home) -> bool:
    """Stop whatever runs in this home, its supervisor alive or not; whether there was anything."""
    found = state.read(home)
    if found is None:
        return False
    supervisor = found.supervisor.find()
    if supervisor:
        _stop_supervisor(supervisor)
        found = state.read(home) or found
    leftovers = found.leftovers()
    state.end(leftovers, grace=15.0)
    return supervisor is not None or bool(leftovers)


def _stop_supervisor(supervisor: psutil.Process) -> None:
    try:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(_STOP_TIMEOUT)
    except psutil.TimeoutExpired:
        supervisor.kill()
        supervisor.wait(5)
    except psutil.NoSuchProcess:
        pass


def readiness(found: StackState) -> dict[str, Any] | None:
    """What the API says about its dependencies and consumers; None when it does not answer."""
    url = found.environment.get("API_URL")
    try:
        answer = httpx.get(f"{url}/readyz", timeout=2.0).json()
    except (httpx.HTTPError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
