"""The relay as a process: choose the mode, stand by while another one works, begin again after a failure.

What can be waited for (a store that is away, another relay) is waited for here, with back-off; what must not happen
ends the process, so that its supervisor starts a fresh one.
"""

from __future__ import annotations

import random
import threading
import time

import psycopg
import structlog

from outbox.relay.capability import choose_mode
from outbox.relay.context import Context
from outbox.relay.errors import Moved, SlotTakesLong, StandBy, Stopping
from outbox.relay.failpoints import OnStep, no_step
from outbox.relay.poll import PollRelay
from outbox.relay.settings import RelaySettings
from outbox.relay.wakeup import Wakeup
from outbox.relay.wal import WalRelay
from runtime import telemetry
from runtime.errors import ConfigurationError, Retryable

log = structlog.get_logger(__name__)

_LONG_ENOUGH = 30.0  # a session that lasted so long was healthy: its failure is the first of a new row


class Relay:
    """`run` in one thread, `stop` from any other, or from a signal handler."""

    def __init__(self, settings: RelaySettings, on_step: OnStep = no_step) -> None:
        self._settings = settings
        self._context = Context(settings, threading.Event(), Wakeup(), on_step)
        self._standing_by = False
        self._slot_takes_long = False

    def stop(self) -> None:
        """Ask `run` to publish what has been read, and to return."""
        self._context.stop.set()
        self._context.wakeup.set()

    def run(self) -> None:
        """Relay until `stop`; once.

        Raises:
            ConfigurationError: the schema is not there.
            RelayInvariantBroken: what must never happen.
        """
        try:
            self._run_sessions()
        finally:
            self._context.wakeup.close()

    def _run_sessions(self) -> None:
        backoff = self._context.backoff()
        while not self._context.stop.is_set():
            began = time.monotonic()
            try:
                self._run_session()
            except StandBy as wait:
                self._stand_by(wait)
                continue
            except Stopping:
                return
            except Retryable as failure:
                if time.monotonic() - began > _LONG_ENOUGH:
                    backoff.reset()
                self._report(failure, backoff.attempts)
                try:
                    backoff.wait()
                except Stopping:
                    return
            except psycopg.errors.UndefinedTable as missing:
                raise ConfigurationError(
                    f"{missing.diag.message_primary}: run `stunity migrate`"
                ) from missing

    def _run_session(self) -> None:
        polling = self._settings.mode == "auto" and self._slot_takes_long
        self._slot_takes_long = False  # the session after that tries again
        mode = "poll" if polling else choose_mode(self._settings)
        session = WalRelay(self._context) if mode == "wal" else PollRelay(self._context)
        try:
            session.run()
        except SlotTakesLong:
            self._slot_takes_long = True
            raise

    def _stand_by(self, wait: StandBy) -> None:
        if not self._standing_by:
            log.info("standing_by", because=str(wait))
        self._standing_by = True
        self._context.stop.wait(self._settings.standby_interval * random.uniform(0.7, 1.3))  # noqa: S311

    def _report(self, failure: Retryable, attempts: int) -> None:
        self._standing_by = False
        kind = "moved" if isinstance(failure, Moved) else "failed"
        telemetry.RELAY_RESTARTS.labels(kind).inc()
        log.warning("session_broke_off", because=str(failure), kind=kind, attempt=attempts + 1)
