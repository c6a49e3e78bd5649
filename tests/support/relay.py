"""The real relay in a thread, ways to let it die, and what must hold of the streams it writes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import redis

from outbox.relay.position import Position
from outbox.relay.service import Relay
from outbox.relay.settings import RelaySettings
from schemas import wire
from schemas.envelope import Event
from schemas.topics import TOPICS
from schemas.wire import Marker
from tests.support.markers import check_markers
from tests.support.wait import NotInTime

Connection = psycopg.Connection[Any]


class Died(BaseException):
    """What a relay is hit with instead of `kill -9`: nothing in it may catch this."""


def relay_settings(database_url: str, redis_url: str, mode: str, **changes: Any) -> RelaySettings:
    """Quick ones: everything that waits waits briefly."""
    given = RelaySettings(
        database_url,
        database_url,
        redis_url,
        mode=mode,  # type: ignore[arg-type]
        trail_seconds=5.0,
        trail_bytes=0,
        state_interval=0.1,
        dead_after=2.0,
        standby_interval=0.1,
        longest_backoff=0.2,
        idle_check_interval=0.5,
        poll_idle_interval=0.05,
        poll_asleep_interval=1.0,
        redis_timeout=5.0,
        slot_patience=1.0,
    )
    return replace(given, **changes)


class RunningRelay:
    """One run of a relay. `dies_at` = (step, how often it may pass before)."""

    def __init__(self, settings: RelaySettings, dies_at: tuple[str, int] | None = None) -> None:
        self.steps: Counter[str] = Counter()
        self._dies_at = dies_at
        self._relay = Relay(settings, self._step)
        self._failure: BaseException | None = None
        self._dead = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def died(self) -> bool:
        """Whether it has met its end."""
        return self._dead and not self._thread.is_alive()

    def die(self) -> None:
        """Meet its end at the next step."""
        self._dead = True

    def wait_until_dead(self) -> None:
        """Until it has met its end."""
        wait_until(lambda: self.died, "the relay's death")

    def stop(self) -> None:
        """End it politely; what it died of is raised here."""
        self._relay.stop()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the relay does not stop"
        if self._failure is not None and not isinstance(self._failure, Died):
            raise self._failure

    def _run(self) -> None:
        try:
            self._relay.run()
        except BaseException as failure:
            self._failure = failure

    def _step(self, name: str) -> None:
        self.steps[name] += 1
        if self._dead or (self._dies_at and self._dies_at[0] == name and self.steps[name] > self._dies_at[1]):
            self._dead = True
            raise Died(name)


@contextmanager
def running(settings: RelaySettings, dies_at: tuple[str, int] | None = None) -> Iterator[RunningRelay]:
    """A relay for the length of a block."""
    relay = RunningRelay(settings, dies_at)
    try:
        yield relay
    finally:
        relay.stop()


def slot_gone(connection: psycopg.Connection[Any], slot: str) -> bool:
    """Drop a slot; False while its reader, which may have stopped already, has not left it."""
    try:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
    except psycopg.errors.ObjectInUse:
        return False
    return True


def wait_until(condition: Callable[[], Any], what: str, timeout: float = 15.0) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise NotInTime(f"{what}: not after {timeout:g} s")
        time.sleep(0.01)


def emit(conn: Connection, key: str, topic: str = "post", data: str = "{}") -> int:
    """One event; returns its id."""
    row = conn.execute(
        "SELECT outbox.emit(%s, %s, %s, %s)", (topic, f"{topic}.updated", key, data)
    ).fetchone()
    assert row is not None
    return int(row[0])


def emit_many(conn: Connection, count: int, *, keys: int = 50, size: int = 20) -> None:
    """`count` events in one transaction, spread over all topics and some keys."""
    conn.execute(
        "INSERT INTO outbox.events (topic, type, key, data, headers)"
        " SELECT t.names[1 + i %% array_length(t.names, 1)], 'post.updated.v1', 'k' || i %% %s,"
        "        jsonb_build_object('i', i, 'text', repeat('x', %s)),"
        "        CASE WHEN i %% 2 = 0 THEN '{}' ELSE '{\"actor\": \"a\"}' END::jsonb"
        "   FROM generate_series(1, %s) AS i, (SELECT outbox.topics() AS names) t",
        (keys, size, count),
    )


@dataclass(frozen=True)
class Entry:
    """One stream entry."""

    topic: str
    partition: int
    position: Position
    n: int
    said: wire.Entry


class Streams:
    """Everything in Redis, and whether it is as promised."""

    def __init__(self, redis_url: str, conn: Connection, prefix: str = "stunity") -> None:
        self.client = redis.Redis.from_url(redis_url)
        self.conn = conn
        self._prefix = prefix

    @property
    def epoch(self) -> int:
        """The newest epoch."""
        return self._one("SELECT outbox.current_epoch()")

    def key(self, topic: str = "post", partition: int = 0, epoch: int | None = None) -> str:
        """The name of a stream."""
        return f"{self._prefix}:{epoch or self.epoch}:{topic}:{{{partition}}}"

    def entries(self, epoch: int | None = None, partitions: int = 1) -> list[Entry]:
        """All entries of an epoch, stream by stream."""
        found = []
        for topic in TOPICS:
            for partition in range(partitions):
                raw: Any = self.client.xrange(self.key(topic, partition, epoch))
                for place, fields in raw:
                    said = wire.decode(fields)
                    found.append(Entry(topic, partition, Position.parse(place), wire.number(fields), said))
        return found

    def events(self, epoch: int | None = None, partitions: int = 1) -> list[Event]:
        """All events of an epoch in stream order."""
        entries = sorted(self.entries(epoch, partitions), key=lambda entry: entry.position)
        return [entry.said for entry in entries if isinstance(entry.said, Event)]

    def ids(self, epoch: int | None = None) -> list[int]:
        """The outbox ids of an epoch in stream order."""
        return [event.id for event in self.events(epoch)]

    def count(self, epoch: int | None = None, partitions: int = 1) -> int:
        """How many events an epoch has."""
        return len(self.events(epoch, partitions))

    def length(self) -> int:
        """How many entries of all kinds the newest epoch has: quick."""
        return sum(int(self.client.xlen(self.key(topic))) for topic in TOPICS)

    def committed(self) -> list[int]:
        """The ids of all events in the log."""
        return [row[0] for row in self.conn.execute("SELECT id FROM outbox.events ORDER BY id")]

    def wait_ready(self) -> None:
        """Until a relay has begun: its first marker is there."""
        wait_until(lambda: self.epoch and self.client.exists(self.key()), "the relay's first marker")

    def wait_for_more(self, entries: int) -> None:
        """Until there are so many more than now."""
        before = self.length()
        wait_until(lambda: self.length() >= before + entries, f"{entries} more entries", timeout=30)

    def wait_for_all(self, timeout: float = 20.0) -> None:
        """Until a marker sees every committed event; that they all stand before it is what `check` looks at."""
        try:
            wait_until(self._covered, "a marker that sees everything", timeout)
        except NotInTime as late:
            late.add_note(
                f"the newest is {self.newest_marker()}, of epoch {self.epoch}; {self.count()} events"
            )
            raise

    def check(self, *epochs: int, partitions: int = 1, once: bool = True) -> None:
        """Assert the invariants; `epochs` that together hold the log, by default the newest alone."""
        published: list[int] = []
        for epoch in epochs or (self.epoch,):
            entries = self.check_epoch(epoch, partitions)
            events = sorted((e for e in entries if isinstance(e.said, Event)), key=lambda e: e.position)
            assert len({e.position for e in events}) == len(events), "two events in one place"
            newest: dict[tuple[str, str], int] = {}
            for entry in events:
                assert isinstance(entry.said, Event)
                key = entry.topic, entry.said.key
                assert newest.get(key, 0) < entry.said.id, f"{key} goes back to event {entry.said.id}"
                newest[key] = entry.said.id
                published.append(entry.said.id)
        found = sorted(published if once else set(published))
        assert found == self.committed(), f"published {found}"

    def check_epoch(self, epoch: int, partitions: int = 1) -> list[Entry]:
        """Assert of one epoch: numbers are dense, markers keep their promises."""
        entries = self.entries(epoch, partitions)
        self._check_numbers(entries)
        self._check_markers(entries)
        return entries

    def check_markers(self) -> None:
        """Assert the promises of the newest epoch's markers."""
        self._check_markers(self.entries())

    def _check_numbers(self, entries: list[Entry]) -> None:
        """Dense within each stream, in the order of the ids."""
        last: dict[tuple[str, int], tuple[int, Position]] = {}
        for entry in entries:
            stream = entry.topic, entry.partition
            n, position = last.get(stream, (0, Position(0, 0)))
            assert (entry.n, entry.position > position) == (n + 1, True), f"{stream}: {entry} after {n}"
            last[stream] = entry.n, entry.position

    def _check_markers(self, entries: list[Entry]) -> None:
        """Whatever a marker's snapshot sees stands before it; whatever stands up to `settled` is seen by it."""
        events = [(entry.position, entry.said.xid) for entry in entries if isinstance(entry.said, Event)]
        markers = [(entry.position, entry.said) for entry in entries if isinstance(entry.said, Marker)]
        check_markers(events, markers)

    def _covered(self) -> bool:
        marker = self.newest_marker()
        if marker is None:
            return False
        # Rows that a restore brought carry xids that are still to come here; below the bound they count as committed.
        query = """
            SELECT coalesce(bool_and(id < (SELECT settled_below_id FROM outbox.epochs ORDER BY epoch DESC LIMIT 1)
                                     OR pg_visible_in_snapshot(xid, %s::pg_snapshot)), true) FROM outbox.events"""
        row = self.conn.execute(query, (marker.snapshot,)).fetchone()
        return row is not None and bool(row[0])

    def newest_marker(self) -> Marker | None:
        """The last one of the newest epoch."""
        newest: Any = self.client.xrevrange(self.key("session"), count=20)
        said = (wire.decode(fields) for _, fields in newest)
        return next((entry for entry in said if isinstance(entry, Marker)), None)

    def _one(self, query: str) -> int:
        row = self.conn.execute(query).fetchone()
        assert row is not None
        return int(row[0])
