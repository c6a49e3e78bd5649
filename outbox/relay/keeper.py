"""wal mode's second connection: takes the snapshots for markers, and writes down what is about to be confirmed.

A marker says that everything its snapshot sees stands before it. So the snapshot is taken first, then the place where
the WAL ends; once decoding has passed that place, `wal.py` puts the marker behind what it has read. A thread of its
own, because a slow query must not hold up the stream. It also is the one to notice that PostgreSQL shuts down: the
server waits for its walsenders, so the relay has to hang up.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog

from outbox.relay import slot as slots
from outbox.relay.context import Context
from outbox.relay.ears import MARKER, Ears
from outbox.relay.errors import Moved
from outbox.relay.sender import MarkerRequest, Sender
from outbox.relay.store import SQL, Epoch, Saved, Store, positions, translated
from outbox.relay.trail import Step, Trail
from outbox.relay.wakeup import Wakeup
from schemas.snapshot import Snapshot

log = structlog.get_logger(__name__)

_PAGE_HEADERS = (24, 40)  # short, and long at the start of a segment


@dataclass(frozen=True, slots=True)
class Candidate:
    """A marker that may go out once everything before `lsn` has been read."""

    lsn: int
    request: MarkerRequest


class Keeper:
    """Runs beside a wal session; `store` is used by its thread alone."""

    def __init__(
        self, context: Context, store: Store, epoch: Epoch, fence: int, sender: Sender, confirmed: int
    ) -> None:
        #: What the server may be told; written down before it is.
        self.confirmed = confirmed
        #: The marker that waits for the stream to come as far.
        self.candidate: Candidate | None = None
        self._settings = settings = context.settings
        self._store = store
        self._epoch = epoch
        self._fence = fence
        self._sender = sender
        self._wake_stream = context.wakeup.set
        self._on_step = context.on_step
        self._ears = Ears(store.conn, MARKER)
        self._wakeup = Wakeup()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._trail = Trail(settings.trail_seconds, settings.trail_bytes)
        self._saved = Saved(
            epoch.confirmed,
            tuple(positions(epoch.confirmed_progress, epoch.partitions)),
            epoch.marker,
            epoch.marker_snapshot,
            tuple(positions(epoch.marker_progress, epoch.partitions)),
        )
        self._failure: BaseException | None = None
        self._wanted = True
        self._reported = 0
        self._due = False
        self._marked_at = self._pushed_at = 0.0
        self._thread = threading.Thread(target=self._run, name="relay-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def check(self) -> None:
        """Raise what has ended the thread."""
        if self._failure is not None:
            raise self._failure

    def step(self, step: Step) -> None:
        """Redis has everything up to here."""
        with self._lock:
            self._trail.add(step)

    def marker_due(self) -> None:
        """There is something that no marker covers yet."""
        if not self._due:
            self._due = True
            self._wakeup.set()

    def abandon(self) -> None:
        """End the thread; its query, if one is running, ends with the connection."""
        self._ended.set()
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._wakeup.close()

    def finish(self) -> None:
        """End the thread, and write down where Redis stands."""
        self.abandon()
        if self._failure is None and not self._thread.is_alive():
            with translated():
                self._save()

    def _run(self) -> None:
        now = time.monotonic()
        save_at, report_at = now, now + self._settings.report_interval
        try:
            while not self._ended.is_set():
                with translated():
                    self._mark_if_due()
                    now = time.monotonic()
                    if now >= save_at:
                        save_at = now + self._settings.state_interval
                        self._check_publication(self._store.find_publication(self._settings.publication))
                        self._save()
                    if now >= report_at:
                        report_at = now + self._settings.report_interval
                        self._report()
                    self._listen(save_at - time.monotonic())
        except BaseException as failure:  # handed to the session, which raises it
            self._failure = failure
            self._wake_stream()

    def _listen(self, timeout: float) -> None:
        if self._due and self.candidate is None:
            timeout = min(timeout, self._marked_at + self._settings.marker_interval - time.monotonic())
        if self._wakeup.wait(timeout, [self._ears.socket]):
            self._ears.take_in()
        self._wanted = self._ears.heard(MARKER) or self._wanted

    def _mark_if_due(self) -> None:
        now = time.monotonic()
        due = self._due and now >= self._marked_at + self._settings.marker_interval
        if self.candidate is not None:
            self._push_if_late(now)
            return
        if not (due or self._wanted):
            return
        self._wanted = self._due = False
        self._marked_at = self._pushed_at = now
        self._take_candidate()
        self._wake_stream()

    def _push_if_late(self, now: float) -> None:
        """Have the server say where it is, when the stream has not come as far as a marker waits for.

        It says so by itself after everything that it decodes. We have seen it silent once, on a busy machine; a record
        more makes it speak, and readers who wait for the marker do not have to wait for the next write.
        """
        if now >= self._pushed_at + self._settings.state_interval:
            self._pushed_at = now
            self._store.flush()

    def _take_candidate(self) -> None:
        parameters = {"publication": self._settings.publication}
        row = self._store.conn.execute(SQL["snapshot_and_lsn"], parameters).fetchone()
        assert row is not None
        self._check_publication(row["publication"])
        lsn = end_of_last_record(row["lsn"], row["block"])
        self._sender.horizon = Snapshot.parse(row["snapshot"])
        self.candidate = Candidate(lsn, MarkerRequest(row["snapshot"], row["taken_at_ms"]))
        if row["flushed"] < lsn:
            self._store.flush()

    def _check_publication(self, found: int | None) -> None:
        """From PostgreSQL 18 on a missing publication is no error: its rows just do not come."""
        if found != self._epoch.publication_oid:
            raise Moved("the publication has been replaced: changes may have passed unpublished")

    def _save(self) -> None:
        """Write down what Redis has, then let the stream confirm it."""
        marked = self._sender.marked()
        if marked is None:
            return
        with self._lock:
            step = self._trail.confirmable(time.monotonic())
        if step is not None and any(place.major > marked.settled.major for place in step.progress):
            step = None  # not visible to others yet: a restart has to decode these entries again
        saved = Saved(
            step.point if step else self._saved.confirmed,
            step.progress if step else self._saved.confirmed_progress,
            marked.number,
            marked.snapshot,
            marked.progress,
        )
        if (saved.confirmed_progress, saved.marker) != (self._saved.confirmed_progress, self._saved.marker):
            self._on_step("before_save")
            self._store.save(self._epoch.epoch, self._fence, saved)
            self._on_step("after_save")
            self._saved = saved
        if step is not None and step.point > self.confirmed:
            self._on_step("before_confirm")
            self.confirmed = step.point
            self._wake_stream()

    def _report(self) -> None:
        info = slots.inspect(self._store.conn, self._epoch.slot)
        log.info(
            "relay", mode="wal", epoch=self._epoch.epoch, events=self._sender.events, slot=info.state.name
        )


def end_of_last_record(insert_lsn: int, block: int) -> int:
    """Where the last record ends: right at a page's start the insert position already counts the page's header."""
    offset = insert_lsn % block
    return insert_lsn - offset if offset in _PAGE_HEADERS else insert_lsn
