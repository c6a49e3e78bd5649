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
from app.stack.part import HOPELESS
from app.stack.process import last_line
from app.stack.state import StackState
from runtime.errors import ConfigurationError

_POLL = 0.1
_LOOK = "see `stunity status`"
#: The supervisor itself waits for its parts' grace periods; after this it is taken to hang.
_STOP_TIMEOUT = 75.0
_GRACE = 15.0


def running(home: Home, *, allow_failed: bool = False) -> StackState:
    """The state of the running stack, or of one that has just failed to start.

    Raises:
        ConfigurationError: nothing is running.
    """
    found = state.read(home)
    failed = allow_failed and found is not None and found.phase == "failed"
    if found is None or not (failed or found.running()):
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
    while (found := state.read(home)) is None or found.supervisor.pid != child.pid:
        if child.poll() is not None:
            raise ConfigurationError(f"the stack did not start: {last_line(log)} (see {log})")
        time.sleep(_POLL)
    wait_ready(home, observe, deadline)


def wait_ready(home: Home, observe: Callable[[StackState], None], deadline: float) -> None:
    """Return when the running stack is ready.

    Raises:
        ConfigurationError: it failed, one part fails again and again, or monotonic time `deadline` has passed.
    """
    while (found := running(home, allow_failed=True)).phase != "ready":
        observe(found)
        if found.phase == "failed":
            raise ConfigurationError(found.message)
        for part in found.parts:
            if part.restarts >= HOPELESS:
                raise ConfigurationError(
                    f"{part.name} does not start: {part.problem}; {_LOOK} and {part.log}"
                )
        if time.monotonic() > deadline:
            late = ", ".join(part.name for part in found.parts if part.state != "ready")
            raise ConfigurationError(f"not ready in time: {late or found.message}; {_LOOK} and {home.logs}")
        time.sleep(_POLL)
    observe(found)


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
    state.end(leftovers, grace=_GRACE)
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
