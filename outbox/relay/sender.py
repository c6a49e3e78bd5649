"""The thread that talks to Redis while the next batch is read: batches and markers go out strictly one after the other.

The queue is short on purpose: when Redis is slow nothing more is read, and that is all the flow control there is. A
failure ends the thread; its owner sees it at the next call and starts the session again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Final

from outbox.relay.batch import Batch
from outbox.relay.errors import Moved
from outbox.relay.failpoints import OnStep
from outbox.relay.link import RedisLink
from outbox.relay.position import Position
from outbox.relay.publisher import Publisher
from outbox.relay.settled import SettledTracker
from outbox.relay.trail import Step
from runtime import telemetry
from schemas.snapshot import Snapshot

_LOOK_SECONDS: Final = 0.5
#: More transactions than this are not remembered without asking who has been seen meanwhile.
_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class MarkerRequest:
    """Everything that `snapshot` sees stands in front of this in the queue."""

    snapshot: str
    taken_at_ms: int


@dataclass(frozen=True, slots=True)
class Marked:
    """The newest marker in Redis."""

    number: int
    snapshot: str
    progress: tuple[Position, ...]
    settled: Position
    #: Some published entry was not visible yet: another marker has to follow.
    unsettled: bool


class Sender:
    """Owns the publisher and the queue in front of it."""

    def __init__(
        self,
        publisher: Publisher,
        link: RedisLink,
        settled: Position,
        *,
        queue_batches: int,
        check_seconds: float,
        mass_is_lsn: bool,
        wake: Callable[[], None],
        on_step: OnStep,
    ) -> None:
        self._publisher = publisher
        self._link = link
        self._tracker = SettledTracker(settled)
        self._queue: Queue[Batch | MarkerRequest | None] = Queue(queue_batches)
        self._check_seconds = check_seconds
        self._mass_is_lsn = mass_is_lsn
        self._wake = wake
        self._on_step = on_step
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._outstanding = 0
        self._sent_bytes = 0
        self._step: Step | None = None
        self._marked: Marked | None = None
        self.events = 0
        #: The newest snapshot there is; every marker to come sees at least as much.
        self.horizon: Snapshot | None = None
        self._done = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="relay-sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, item: Batch | MarkerRequest, timeout: float) -> bool:
        """Queue something; False when there was no room for so long.

        Raises:
            whatever has ended the thread.
        """
        self.check()
        with self._lock:
            self._outstanding += 1
        try:
            self._queue.put(item, timeout=timeout)
        except Full:
            with self._lock:
                self._outstanding -= 1
            return False
        return True

    def put_patiently(
        self, item: Batch | MarkerRequest, alive: Callable[[], None], give_up: float | None = None
    ) -> None:
        """Queue something, calling `alive` while there is no room.

        Raises:
            Moved: there was none for `give_up` seconds.
        """
        began = time.monotonic()
        while not self.put(item, _LOOK_SECONDS):
            alive()
            if give_up is not None and time.monotonic() - began > give_up:
                raise Moved("Redis has not taken anything for too long")

    def check(self) -> None:
        """Raise what has ended the thread."""
        if self._failure is not None:
            raise self._failure

    @property
    def idle(self) -> bool:
        """Whether Redis has answered everything."""
        return self._outstanding == 0

    def await_idle(self, alive: Callable[[], None]) -> None:
        """Until Redis has answered everything, calling `alive` now and then."""
        while not self.idle:
            self.check()
            alive()
            self._done.wait(_LOOK_SECONDS)
            self._done.clear()

    def abandon(self) -> None:
        """The session is over: take nothing more from the queue. What Redis has not answered comes again."""
        self._abandoned = True

    def finish(self, timeout: float) -> None:
        """Send what is queued, then end."""
        deadline = time.monotonic() + timeout
        while self._thread.is_alive() and time.monotonic() < deadline:
            try:
                self._queue.put(None, timeout=0.1)
                break
            except Full:
                continue
        self._thread.join(max(deadline - time.monotonic(), 0.0))

    def acknowledged(self) -> Step | None:
        """How far Redis has come with whole transactions."""
        with self._lock:
            return self._step

    def marked(self) -> Marked | None:
        """The newest marker in Redis."""
        with self._lock:
            return self._marked

    @property
    def progress(self) -> tuple[Position, ...]:
        """Where the partitions stand; for use while the sender is idle."""
        return tuple(self._publisher.progress)

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._send(item)
                with self._lock:
                    self._outstanding -= 1
                self._done.set()
                self._wake()
        except BaseException as failure:  # handed to the owner, who raises it
            self._failure = failure
            self._done.set()
            self._wake()

    def _next(self) -> Batch | MarkerRequest | None:
        """The next thing to send; while there is none, see that Redis is still the one we know."""
        looked_at = time.monotonic()
        while not self._abandoned:
            try:
                return self._queue.get(timeout=_LOOK_SECONDS)
            except Empty:
                now = time.monotonic()
                if self._link.hung_up() or now - looked_at >= self._check_seconds:
                    self._publisher.verify()
                    looked_at = now
        return None

    def _send(self, item: Batch | MarkerRequest) -> None:
        if isinstance(item, MarkerRequest):
            self._mark(item)
        else:
            self._publish(item)

    def _publish(self, batch: Batch) -> None:
        self._on_step("before_publish")
        began = time.monotonic()
        self._publisher.publish(batch)
        self._on_step("after_publish")
        telemetry.RELAY_BATCH_SECONDS.observe(time.monotonic() - began)
        telemetry.RELAY_BYTES.inc(batch.size)
        if batch.visible:
            self._tracker.reach(batch.last)
        else:
            self._tracker.published(batch.commits)
            if self.horizon is not None and len(self._tracker) > _REMEMBERED:
                self._tracker.settle(self.horizon)
        if batch.complete and self._publisher.missing:
            self._publisher.gap()
        self.events += batch.count
        self._sent_bytes += batch.size
        if batch.complete:
            self._advance(batch.end)

    def _mark(self, request: MarkerRequest) -> None:
        settled = self._tracker.settle(Snapshot.parse(request.snapshot))
        self._on_step("before_marker")
        self._publisher.mark(request.snapshot, settled, request.taken_at_ms)
        self._on_step("after_marker")
        with self._lock:
            self._marked = Marked(
                self._publisher.marker,
                request.snapshot,
                tuple(self._publisher.progress),
                settled,
                self._tracker.waiting,
            )

    def _advance(self, end: int) -> None:
        mass = end if self._mass_is_lsn else self._sent_bytes
        step = Step(end, mass, time.monotonic(), tuple(self._publisher.progress))
        with self._lock:
            self._step = step
        self._on_step("acknowledged")
