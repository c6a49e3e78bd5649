"""What a relay may do to the streams of one epoch: take them over, append batches, mark, end them.

Exactly once rests on lua/publish.lua: entries and progress move in one step, and only from the progress that we
expect. So a call that got no answer is simply made again; "not there any more, but where it was going" means that the
first one arrived. A Redis that came back with less is refused by the same check, and `Moved` starts the session again
from the position that PostgreSQL still has. Keys are described in `keyspace.py`, waiting and repeating is `link.py`,
the order of calls is `sender.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from outbox.relay.batch import Batch
from outbox.relay.errors import Fenced, Moved
from outbox.relay.failpoints import OnStep, no_step
from outbox.relay.keyspace import Keyspace
from outbox.relay.link import RedisLink, Script
from outbox.relay.position import START, Position
from runtime import telemetry
from schemas.wire import End, Entry, Gap, Marker, encode

_PUBLISH: Final = Script("publish")
_CONTROL: Final = Script("control")
_SEIZE: Final = Script("seize")


class Publisher:
    """One epoch's streams, under one fence."""

    def __init__(
        self,
        link: RedisLink,
        keyspace: Keyspace,
        partitions: int,
        fence: int,
        base: Position = START,
        on_step: OnStep = no_step,
    ) -> None:
        self._on_step = on_step
        self._base = base
        self.progress = [START] * partitions
        self.marker = 0
        #: Entries that should have been there after a restart and were not: a gap has to be told.
        self.missing = 0
        self._link = link
        self._fence = fence
        self._topics = keyspace.topics
        self._keys = [keyspace.keys(p) for p in range(partitions)]
        self._replay_until = [START] * partitions
        # Partitions that have had their end: a relay that died between two of them leaves the others open.
        self._closed: set[int] = set()

    @property
    def published(self) -> Position:
        """The last entry of all partitions; before the first, where the epoch begins."""
        return max(self._base, *self.progress)

    def seize(self) -> bool:
        """Become the one writer; False when the epoch has been closed, if only in part.

        Raises:
            Fenced: a later relay has it.
        """
        for p in range(len(self._keys)):
            self._seize(p)
        return not self._closed

    @property
    def top(self) -> Position:
        """The highest id of any stream at the time of `seize`."""
        return max(self._replay_until)

    def publish(self, batch: Batch) -> None:
        """Append a batch; returns when Redis has taken all of it.

        Raises:
            Moved: Redis stands elsewhere.
            Fenced: a later relay has taken over.
        """
        for p, frames in enumerate(batch.frames):
            if frames is not None:
                self._append(p, frames, batch)
                self._on_step("between_partitions")

    def mark(self, snapshot: str, settled: Position, taken_at_ms: int) -> None:
        """Put a marker on every stream. Only between transactions (rounds)."""
        entry = Marker(self.marker + 1, snapshot, str(settled), taken_at_ms)
        self._control(entry, self.published.next())
        self.marker = entry.number
        telemetry.RELAY_MARKERS.inc()

    def gap(self, at_least: Position = START) -> None:
        """Tell every stream that entries before here are missing, and go on behind `at_least`."""
        self._control(Gap(), max(self.published, self.top, at_least).next())
        self.missing = 0
        telemetry.RELAY_GAPS.inc()

    def end(self, next_epoch: int) -> None:
        """Close what is still open; whoever has read this goes on with the next epoch."""
        self._control(End(next_epoch), max(self.published, self.top).next())

    def verify(self) -> None:
        """Ask whether Redis still stands where we left it.

        Raises:
            Moved: it does not.
        """
        for p, keys in enumerate(self._keys):
            fence, progress = self._link.command("HMGET", keys[0], "fence", "progress")
            if fence != b"%d" % self._fence or Position.parse(progress or b"") != self.progress[p]:
                raise Moved(f"partition {p} stands at {progress!r} under fence {fence!r}")

    def _seize(self, p: int) -> None:
        reply, _ = self._link.run(_SEIZE, self._keys[p], [self._fence, "", *self._topics])
        if reply[0] == b"CLOSED":
            self._closed.add(p)
            return
        self._check(reply)
        self.progress[p] = Position.parse(reply[1])
        self.marker = max(self.marker, int(reply[2]))
        self._replay_until[p] = max(self.progress[p], *map(Position.parse, reply[3:]))

    def _append(self, p: int, frames: bytes, batch: Batch) -> None:
        replaying = batch.first <= self._replay_until[p]
        new = max(self.progress[p], batch.last) if replaying else batch.last
        args = [*self._step(p, new), "skip" if replaying else "append", batch.layout, frames, *self._topics]
        reply = self._run(_PUBLISH, p, args, new)
        self.progress[p] = new
        if reply is not None:
            appended, skipped, missing, unknown = reply[1:]
            self.missing += missing
            telemetry.RELAY_EVENTS.inc(appended)
            telemetry.RELAY_SKIPPED.inc(skipped)
            telemetry.RELAY_UNKNOWN_TOPICS.inc(unknown)

    def _control(self, entry: Entry, at: Position) -> None:
        fields = [
            word
            for name, value in encode(entry, 0).items()
            if name not in _SET_BY_SCRIPT
            for word in (name, value)
        ]
        kind = encode(entry, 0)[b"c"]
        for p in set(range(len(self._keys))) - self._closed:
            args = [*self._step(p, at), kind, len(fields), *fields, *self._topics]
            self._run(_CONTROL, p, args, at)
            self.progress[p] = at
            self._on_step("between_partitions")

    def _step(self, p: int, new: Position) -> list[str | bytes | int]:
        """The first three arguments of every writing script."""
        expected = self.progress[p]
        return [self._fence, expected.encode() if expected != START else b"", new.encode()]

    def _run(
        self, script: Script, p: int, args: Sequence[str | bytes | int], new: Position
    ) -> list[Any] | None:
        """The reply, or None when an attempt without an answer turns out to have been carried out."""
        reply, uncertain = self._link.run(script, self._keys[p], args)
        if uncertain and reply[0] == b"MISMATCH" and Position.parse(reply[1]) == new:
            return None
        self._check(reply)
        return reply

    def _check(self, reply: list[Any]) -> None:
        if reply[0] == b"FENCED":
            raise Fenced(f"relay {reply[1].decode()} has taken over from {self._fence}")
        if reply[0] != b"OK":
            raise Moved(f"Redis replies {b' '.join(reply).decode()}, expected {self.progress}")


_SET_BY_SCRIPT: Final = frozenset((b"n", b"c"))
