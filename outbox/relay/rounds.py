"""poll mode's loop: look, publish a round, put a marker behind it, write down what is confirmed, wait.

It waits briefly while there is traffic and longer and longer when there is none. With a direct connection it asks the
writers to wake it once it has been idle for a while (outbox.relay_sleeps): NOTIFY at every commit would cost them two
thirds of their throughput, at the first commit after a pause it costs nothing.
"""

from __future__ import annotations

import time
from itertools import pairwise

import structlog

from outbox.relay.context import Context
from outbox.relay.ears import MARKER, OUTBOX, Ears
from outbox.relay.errors import Stopping
from outbox.relay.leader import Leadership
from outbox.relay.rows import RowAssembler
from outbox.relay.sender import MarkerRequest, Sender
from outbox.relay.store import Epoch, Opened, Saved, Store, positions
from outbox.relay.trail import Step, Trail
from schemas.snapshot import Snapshot

log = structlog.get_logger(__name__)

_SLEEPY_AFTER = 1.0
_GROWTH = 1.5


class Rounds:
    """Runs on the main thread; the sender has its own."""

    def __init__(
        self,
        context: Context,
        store: Store,
        sender: Sender,
        lead: Leadership,
        ears: Ears | None,
        epoch: Epoch,
        fence: int,
    ) -> None:
        self._context = context
        self._settings = context.settings
        self._store = store
        self._sender = sender
        self._lead = lead
        self._ears = ears
        self._epoch = epoch
        self._fence = fence
        self._trail = Trail(self._settings.trail_seconds, self._settings.trail_bytes)
        self._saved = Saved(epoch.confirmed, tuple(positions(epoch.confirmed_progress, epoch.partitions)))
        self._base = ""
        self._step: Step | None = None
        self._marker_due = True
        self._marked_at = 0.0
        self._save_at = 0.0
        self._reported = 0
        self._report_at = time.monotonic() + self._settings.report_interval
        self._pause = self._settings.poll_interval
        self._idle_since = time.monotonic()
        # Asleep once every transaction that may not have seen the flag has ended: then this xid is behind us.
        self._asleep_from: int | None = None
        self._asleep = False

    def run(self) -> None:
        """Until told to stop; stopping is: look no more, publish what was read, write down where that is.

        Raises:
            Retryable: any part has failed; everything unconfirmed comes again.
        """
        try:
            self._catch_up()
            while not self._context.stop.is_set():
                self._look()
                self._save_if_due()
                self._wait()
            self._context.on_step("stopping")
            self._sender.finish(self._settings.stop_grace)
            self._sender.check()
            self._save()
            self._context.on_step("stopped")
            self._store.wake_writers()
            log.info("relay_stopped", mode="poll", epoch=self._epoch.epoch, events=self._sender.events)
        except Stopping:
            return
        finally:
            self._sender.abandon()

    def _catch_up(self) -> None:
        """Read the rounds again that Redis may not have in full."""
        kept = self._store.rounds(self._epoch.epoch)
        reached = min(self._sender.progress).major
        for (_, since), (number, upto) in pairwise(kept):
            if number >= reached:
                self._publish(number, since, upto)
        self._base = kept[-1][1]

    def _look(self) -> None:
        """One look at the log; a round if there is anything."""
        self._lead.check()
        self._sender.check()
        self._context.on_step("before_round")
        opened = self._store.open_round(self._epoch.epoch, self._fence)
        if opened.opened:
            self._context.on_step("round_stored")
            self._publish(opened.round, self._base, opened.snapshot)
            self._base = opened.snapshot
            self._marker_due = True
        self._stir(opened)
        self._mark_if_due(opened)

    def _publish(self, number: int, since: str, upto: str) -> None:
        rows = RowAssembler(
            number, self._epoch.partitions, self._settings.batch_events, self._settings.batch_bytes
        )
        full = False
        for data in self._store.copy_round(self._epoch.epoch, since, upto):
            if full:
                self._send(rows, complete=False)
            full = rows.feed(data)
        self._send(rows, complete=True)

    def _send(self, rows: RowAssembler, *, complete: bool) -> None:
        self._context.on_step("after_read")
        self._sender.put_patiently(
            rows.take(complete=complete), self._lead.check, self._settings.stall_seconds
        )

    def _mark_if_due(self, opened: Opened) -> None:
        """Everything that this look's snapshot sees has been handed over before."""
        wanted = self._ears is not None and self._ears.heard(MARKER)
        due = self._marker_due and time.monotonic() >= self._marked_at + self._settings.marker_interval
        if wanted or due:
            request = MarkerRequest(opened.snapshot, opened.taken_at_ms)
            self._sender.put_patiently(request, self._lead.check, self._settings.stall_seconds)
            self._marker_due = False
            self._marked_at = time.monotonic()

    def _stir(self, opened: Opened) -> None:
        """Awake while rows come, drowsy when none have come for a while."""
        now = time.monotonic()
        if opened.opened:
            if self._asleep_from is not None:
                self._store.wake_writers()
            self._asleep_from, self._asleep = None, False
            self._pause, self._idle_since = self._settings.poll_interval, now
            return
        self._pause = min(self._pause * _GROWTH, self._settings.poll_idle_interval)
        if self._ears is None or now - self._idle_since < _SLEEPY_AFTER or self._marker_due:
            return
        snapshot = Snapshot.parse(opened.snapshot)
        if self._asleep_from is None:
            self._context.on_step("before_sleep")
            self._store.sleep()
            self._asleep_from = Snapshot.parse(self._store.snapshot()).xmax
        elif snapshot.xmin >= self._asleep_from:
            self._asleep = True

    def _wait(self) -> None:
        pause = self._settings.poll_asleep_interval if self._asleep else self._pause
        sockets = [self._ears.socket] if self._ears else []
        if self._context.wakeup.wait(pause, sockets) and self._ears:
            self._ears.take_in()
            if self._ears.heard(OUTBOX):
                self._pause = self._settings.poll_interval

    def _save_if_due(self) -> None:
        step = self._sender.acknowledged()
        if step is not None and step is not self._step:
            self._step = step
            self._trail.add(step)
        now = time.monotonic()
        if now >= self._save_at:
            self._save_at = now + self._settings.state_interval
            self._save()
        if now >= self._report_at:
            self._report_at = now + self._settings.report_interval
            events, self._reported = self._sender.events - self._reported, self._sender.events
            log.info("relay", mode="poll", epoch=self._epoch.epoch, events=events)

    def _save(self) -> None:
        """Write down what Redis has, and forget the rounds that are confirmed."""
        marked = self._sender.marked()
        if marked is None:
            return
        step = self._trail.confirmable(time.monotonic())
        saved = Saved(
            step.point if step else self._saved.confirmed,
            step.progress if step else self._saved.confirmed_progress,
            marked.number,
            marked.snapshot,
            marked.progress,
        )
        if saved == self._saved:
            return
        self._context.on_step("before_save")
        self._store.save(self._epoch.epoch, self._fence, saved)
        self._context.on_step("after_save")
        self._saved = saved
        if step is not None:
            self._context.on_step("before_confirm")
            self._store.drop_rounds(self._epoch.epoch, step.point)
            self._context.on_step("after_confirm")
