"""wal mode's loop: read what has arrived, hand it over, put markers between, tell the server that we live.

Batching follows the load by itself: while Redis works on one batch the next one grows, and when Redis is waiting,
whatever there is goes out at once. Not reading is all the back-pressure there is: a full queue stops the loop, the
server's socket fills, the WAL waits.
"""

from __future__ import annotations

import time

import structlog

from outbox.relay.assembler import Assembler
from outbox.relay.context import Context
from outbox.relay.errors import Stopping
from outbox.relay.keeper import Keeper
from outbox.relay.sender import Sender
from outbox.relay.session import ReplicationSession, StreamEnded
from outbox.relay.store import Epoch
from outbox.relay.trail import Step

log = structlog.get_logger(__name__)

_UNDEFINED_OBJECT = "42704"
_STATUS_PER_TIMEOUT = 3
#: While Redis is busy a batch can't go out anyway: reading in gulps instead of by the message saves the wake-ups of
#: both sides. Redis's answer ends the rest.
_REST = 0.001


class WalStream:
    """Runs on the main thread; the sender and the keeper have one each."""

    def __init__(
        self, context: Context, session: ReplicationSession, sender: Sender, keeper: Keeper, epoch: Epoch
    ) -> None:
        self._context = context
        self._settings = context.settings
        self._session = session
        self._sender = sender
        self._keeper = keeper
        self._epoch = epoch
        self._assembler = Assembler(epoch.partitions, self._settings.batch_events, self._settings.batch_bytes)
        self._status_interval = self._settings.dead_after / _STATUS_PER_TIMEOUT
        self._status_at = 0.0
        self._told = 0
        self._waiting_since: float | None = None
        self._rested_with = 0
        self._acknowledged: Step | None = None

    def run(self) -> None:
        """Until told to stop; stopping is: read no more, publish what has been read, write down where that is.

        Raises:
            Retryable: any part has failed; everything unconfirmed comes again.
        """
        self._keeper.start()
        try:
            self._loop()
        except Stopping:
            self._flush()
            self._context.on_step("stopping")
            self._sender.finish(self._settings.stop_grace)
            self._sender.check()
            self._keeper.finish()
            self._context.on_step("stopped")
            self._tell()
            log.info("relay_stopped", mode="wal", epoch=self._epoch.epoch, events=self._sender.events)
        finally:
            self._keeper.abandon()
            self._sender.abandon()

    def _loop(self) -> None:
        read, feed = self._session.read, self._assembler.feed
        while True:
            size, data = read()
            if size > 0:
                if feed(data):
                    self._attend()
            elif size == 0:
                self._pause()
            else:
                raise self._explain(self._session.ended())

    def _attend(self) -> None:
        """The batch is full, or a keepalive came."""
        if self._assembler.full:
            self._flush()
        self._look_around()

    def _pause(self) -> None:
        """Nothing more has arrived."""
        self._look_around()
        timeout = self._status_at - time.monotonic()
        if not self._assembler.empty:
            wait = self._linger()
            if wait <= 0 and self._sender.idle:
                self._flush()
            elif wait > 0:
                timeout = min(timeout, wait)
            elif self._assembler.size != self._rested_with:
                self._rested_with = self._assembler.size
                self._session.rest(_REST)
                return
        self._session.wait(timeout)

    def _linger(self) -> float:
        """How long the batch may still wait for company."""
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        return self._waiting_since + self._settings.linger - now

    def _look_around(self) -> None:
        """Failures and stop requests of others, markers, what Redis has acknowledged, signs of life."""
        if self._context.stop.is_set():
            raise Stopping
        self._sender.check()
        self._keeper.check()
        self._put_marker()
        self._follow()
        if (
            self._assembler.reply_now
            or time.monotonic() >= self._status_at
            or self._keeper.confirmed > self._told
        ):
            self._tell()

    def _flush(self) -> None:
        batch = self._assembler.take()
        self._waiting_since = None
        if batch is not None:
            self._context.on_step("after_read")
            self._sender.put_patiently(batch, self._alive)
            self._keeper.marker_due()

    def _put_marker(self) -> None:
        """Behind everything that its snapshot sees, and between two transactions."""
        candidate = self._keeper.candidate
        if candidate is None or self._assembler.in_transaction or self._assembler.decoded < candidate.lsn:
            return
        self._flush()
        self._sender.put_patiently(candidate.request, self._alive)
        self._keeper.candidate = None

    def _follow(self) -> None:
        """Leave a trail of what Redis has; while nothing is on its way, the end of the log is a step as well."""
        step = self._sender.acknowledged()
        decoded = self._assembler.decoded
        quiet = self._sender.idle and self._assembler.empty and not self._assembler.in_transaction
        if quiet and (step is None or decoded > step.point):
            step = Step(decoded, decoded, time.monotonic(), self._sender.progress)
        if step is not None and (self._acknowledged is None or step.point > self._acknowledged.point):
            self._acknowledged = step
            self._keeper.step(step)
        marked = self._sender.marked()
        if marked is not None and marked.unsettled:
            self._keeper.marker_due()

    def _alive(self) -> None:
        """While Redis is waited for: the server must not take us for dead."""
        self._keeper.check()
        if time.monotonic() >= self._status_at:
            self._tell()

    def _tell(self) -> None:
        self._told = self._keeper.confirmed
        self._session.confirm(self._told)
        self._assembler.reply_now = False
        self._status_at = time.monotonic() + self._status_interval
        self._context.on_step("after_confirm")

    def _explain(self, ended: StreamEnded) -> StreamEnded:
        """A publication that was missing while something was written makes that WAL undecodable for ever."""
        if ended.sqlstate == _UNDEFINED_OBJECT and self._epoch.slot:
            self._context.unusable_slots.add(self._epoch.slot)
        return ended
