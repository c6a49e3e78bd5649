"""One supervised part: start it, notice when it answers, start it again when it ends, ever more slowly.

A state machine without threads: the supervisor calls `tick` a few times a second.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import structlog

from app.stack.process import Process, Server
from app.stack.state import PartReport, PartState, ProcessRef
from runtime.errors import ConfigurationError

_log = structlog.get_logger()

FIRST_DELAY = 0.2
LONGEST_DELAY = 30.0
HEALTHY_AFTER = 60.0
PROBE_EVERY = 0.2
#: A part that ends this often before it was ever ready will not become ready by itself.
HOPELESS = 5


def delay(failures: int) -> float:
    """Seconds before the next start after so many failures in a row."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** max(0, failures - 1))


class Part:
    """A server or one of our processes, kept running."""

    def __init__(self, server: Server, *, port: int | None = None, settle: float = 0.0) -> None:
        self.server = server
        self.port = port
        self.state: PartState = "waiting"
        self.problem: str | None = None
        self.restarts = 0
        self.failures = 0
        self._settle = settle
        self._process: Process | None = None
        self._reference: ProcessRef | None = None
        self._started = 0.0
        self._due = 0.0

    @property
    def name(self) -> str:
        """The part's name."""
        return self.server.name

    def tick(self, now: float) -> bool:
        """Do what is due at monotonic time `now`; whether anything has changed."""
        before = (self.state, self.problem, self._reference)
        if self._process is None:
            if now >= self._due:
                self._start(now)
        elif (code := self._process.exit_code) is not None:
            self._ended(now, code)
        elif self.state == "starting" and now >= self._due:
            self._probe(now)
        elif self.failures and now - self._started > HEALTHY_AFTER:
            self.failures = 0
        return before != (self.state, self.problem, self._reference)

    def report(self) -> PartReport:
        """What `status` shows."""
        return PartReport(
            name=self.name,
            state=self.state,
            process=self._reference,
            port=self.port,
            restarts=self.restarts,
            problem=self.problem,
            log=str(self.server.log),
        )

    def signal_stop(self) -> None:
        """Ask it to end and do not start it again."""
        self.state = "stopped"
        if self._process:
            self._process.signal_stop()

    def stop(self, impatient: Callable[[], bool]) -> None:
        """Wait for its end; kill it after the grace period, or as soon as somebody is impatient."""
        if self._process:
            self._process.wait(impatient)
        self._process, self._reference, self.problem = None, None, None

    def _start(self, now: float) -> None:
        try:
            self.server.prepare()
            self._process = Process(self.server)
            self._process.start()
        except (OSError, ConfigurationError) as error:
            self._process = None
            if isinstance(error, ConfigurationError) and not self.restarts:
                raise  # a missing wheel will still be missing in a second
            self._failed(now, str(error))
            return
        self._reference = ProcessRef.of(self._process.pid) if self._process.pid else None
        self._started, self._due = now, now + PROBE_EVERY
        self.state, self.problem = "starting", None

    def _probe(self, now: float) -> None:
        self._due = now + PROBE_EVERY
        self.problem = self.server.problem()
        if self.problem is None and now - self._started >= self._settle:
            self.state = "ready"
            _log.info("part_ready", part=self.name, seconds=round(now - self._started, 1))

    def _ended(self, now: float, code: int) -> None:
        words = (
            f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}: {self._last_words()}"
        )
        self._process, self._reference = None, None
        self._failed(now, words)

    def _last_words(self) -> str:
        return self._process.last_words() if self._process else ""

    def _failed(self, now: float, problem: str) -> None:
        self.failures += 1
        self.restarts += 1
        self.state, self.problem = "restarting", problem
        self._due = now + delay(self.failures)
        _log.warning("part_ended", part=self.name, problem=problem, again_in=delay(self.failures))
