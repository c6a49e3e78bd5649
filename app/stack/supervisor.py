"""The one process that starts the stack in order, keeps every part running, and stops it in order.

Order up: servers, then schemas and capture, then our processes. Order down: our processes first, so that they can
finish their batch while the servers still answer, then the servers. Children ask the kernel to end them with the
supervisor; what a killed one leaves behind all the same is recognised by `state` and ended at the next start.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from app.stack import ours, privileges, state
from app.stack.home import Home
from app.stack.part import HOPELESS, Part
from app.stack.plan import Options, Plan, StackSettings, make
from app.stack.ports import holder, is_free
from app.stack.process import last_line
from app.stack.state import Phase, StackState
from runtime.errors import ConfigurationError

_log = structlog.get_logger()

_TICK = 0.1
#: A process of ours that is going to fail at its start has done so by then; the API takes as long anyway.
_SETTLE = 3.0
_MIGRATION_TIMEOUT = 600.0


class Stopped(Exception):
    """Somebody asked for the end: not an error."""


class Supervisor:
    """Runs one home until `stop` is called."""

    def __init__(
        self,
        home: Home,
        settings: StackSettings,
        options: Options,
        observe: Callable[[StackState], None] = lambda _: None,
    ) -> None:
        self._home = home
        self._settings = settings
        self._options = options
        self._observe = observe
        self._servers: list[Part] = []
        self._processes: list[Part] = []
        self._plan = Plan()
        self._phase: Phase = "starting"
        self._message = ""
        self._wake = threading.Event()
        self._stop_requests = 0

    def stop(self) -> None:
        """Ask for the end; asked a second time, everything is killed. Safe in a signal handler."""
        self._stop_requests += 1
        self._wake.set()

    def run(self) -> None:
        """Start everything, watch it, and stop it when asked.

        Raises:
            ConfigurationError: something is missing or does not start; everything is stopped again.
        """
        self._home.prepare()
        with self._home.lock():
            self._clean_up()
            try:
                self._start()
                self._enter("ready")
                self._watch(lambda: False)
            except Stopped:
                pass
            except Exception as error:
                self._stop_all()
                self._enter("failed", str(error))
                raise
            self._stop_all()
            self._enter("stopped")

    # -- up

    def _clean_up(self) -> None:
        """End what a killed supervisor has left."""
        previous = state.read(self._home)
        if previous and (leftovers := previous.leftovers()):
            _log.warning("leftovers_ended", pids=[process.pid for process in leftovers])
            state.end(leftovers, grace=15.0)

    def _start(self) -> None:
        self._plan = make(self._home, self._settings, self._options)
        self._check_ports()
        self._servers = self._server_parts()
        self._enter("starting", "servers")
        self._watch(lambda: _all_ready(self._servers), hopeless=self._servers)
        self._enter("starting", "schemas")
        self._bring_schemas()
        self._processes = self._process_parts()
        self._enter("starting", "processes")
        # One of ours that does not start is no reason to take down the others: `up` tells, `status` shows.
        self._watch(lambda: _all_ready(self._processes))

    def _check_ports(self) -> None:
        needed = self._plan.embedded_ports()
        if self._options.processes:
            needed["api"] = self._plan.api_port
        for name, port in needed.items():
            if not is_free(port):
                raise ConfigurationError(
                    f"port {port} of {name} is taken by {holder(port)}: "
                    f"end that, or delete {self._home.ports_file} to have new ports chosen"
                )

    def _server_parts(self) -> list[Part]:
        """Typesense first: it takes three seconds to elect itself, in which PostgreSQL initialises its cluster."""
        servers = (self._plan.typesense, self._plan.valkey, self._plan.postgres)
        return [Part(server, port=server.port) for server in servers if server is not None]

    def _process_parts(self) -> list[Part]:
        if not self._options.processes:
            return []
        found = ours.processes(self._home.logs, self._plan.environment, self._plan.api_port)
        return [
            Part(process, port=self._plan.api_port if process.name == "api" else None, settle=_SETTLE)
            for process in found
        ]

    def _bring_schemas(self) -> None:
        """Migrations everywhere; triggers on the upstream tables only where the database is ours."""
        if self._plan.postgres:
            self._plan.postgres.create_database()
        self._run("migrate")
        if self._plan.postgres:
            self._run("capture", "install")

    def _run(self, *arguments: str) -> None:
        log = self._home.logs / "schemas.log"
        with log.open("w", encoding="utf-8") as out:
            done = subprocess.run(
                [*privileges.dies_with_parent("TERM"), *ours.stunity(*arguments)],
                env={**os.environ, **self._plan.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=_MIGRATION_TIMEOUT,
                check=False,
                start_new_session=True,  # Ctrl-C lets a migration finish
            )
        if done.returncode != 0:
            reason = last_line(log, unlike="(Background on this error")
            raise ConfigurationError(f"`stunity {' '.join(arguments)}` failed: {reason} (see {log})")

    # -- watching

    def _watch(self, done: Callable[[], bool], hopeless: Sequence[Part] = ()) -> None:
        while not done():
            if self._stop_requests:
                raise Stopped
            now = time.monotonic()
            changed = [part.tick(now) for part in self._parts()]
            if any(changed):
                self._record()
            for part in hopeless:
                if part.failures >= HOPELESS:
                    raise ConfigurationError(
                        f"{part.name} does not start: {part.problem} (see {part.server.log})"
                    )
            self._wake.wait(_TICK)

    def _parts(self) -> list[Part]:
        return [*self._servers, *self._processes]

    def _enter(self, phase: Phase, message: str = "") -> None:
        self._phase, self._message = phase, message
        _log.info("stack", phase=phase, message=message)
        self._record()

    def _record(self) -> None:
        recorded = StackState(
            supervisor=state.myself(),
            phase=self._phase,
            message=self._message,
            environment=self._plan.environment,
            external=self._plan.external,
            notes=self._plan.notes,
            parts=[part.report() for part in self._parts()],
        )
        try:
            state.write(self._home, recorded)
        except OSError as error:  # a full disk: keep watching, the record can wait
            _log.warning("state_not_written", error=str(error))
        self._observe(recorded)

    # -- down

    def _stop_all(self) -> None:
        """Ours together, then the servers together; a second request turns waiting into killing."""
        self._enter("stopping")
        for group in (self._processes, self._servers):
            for part in group:
                part.signal_stop()
            for part in group:
                part.stop(impatient=lambda: self._stop_requests > 1)
            self._record()


def _all_ready(parts: Sequence[Part]) -> bool:
    return all(part.state == "ready" for part in parts)
