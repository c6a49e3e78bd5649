"""A relay for tests of consumers: publishes the outbox as a real one in poll mode does, step by step.

It writes the same entries under the same keys with the same guarantees (dense numbers, explicit ids, markers on
every stream), and can be told to misbehave. How the real one earns its guarantees is `outbox/relay/`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import psycopg
import redis
from psycopg.types.json import Jsonb

from schemas import wire
from schemas.envelope import Event
from schemas.topics import TOPICS

_NOTHING = "1:1:"
_ROWS = """
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers
  FROM outbox.log_events(%s::pg_snapshot, %s, %s::pg_snapshot, NULL, 0, 100000)
"""


class StepRelay:
    """Publishes when it is told to."""

    def __init__(
        self, conn: psycopg.Connection[Any], client: redis.Redis, *, prefix: str = "stunity"
    ) -> None:
        self._conn = conn
        self._redis = client
        self._prefix = prefix
        self._published = _NOTHING
        self._round = 0
        self._index = 0
        self._marker = 0
        self._numbers: dict[str, int] = {}
        self.epoch = 0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Start the next epoch: new streams, numbers from one."""
        self.epoch += 1
        self._numbers = {}
        self._conn.execute(
            "INSERT INTO outbox.epochs (epoch, mode, partitions, reason) VALUES (%s, 'poll', 1, 'test')",
            (self.epoch,),
        )

    def key(self, topic: str) -> str:
        """The stream of a topic."""
        return f"{self._prefix}:{self.epoch}:{topic}:{{0}}"

    def publish(self, *, marker: bool = True, lose: Iterable[str] = ()) -> list[Event]:
        """One round: everything committed since the last, and a marker on every stream.

        Events whose key is in `lose` get a number and no entry: what a consumer sees after a loss.
        """
        snapshot = self._value("SELECT pg_current_snapshot()::text")
        rows = self._conn.execute(_ROWS, (self._published, self.epoch, snapshot)).fetchall()
        events = [Event(*row) for row in rows]
        self._published = snapshot
        self._round, self._index = self._round + 1, 0
        for event in events:
            self.add(event.topic, event, keep=event.key not in lose)
        if marker:
            self.mark(snapshot)
        return events

    def mark(self, snapshot: str | None = None) -> None:
        """A marker on every stream, all with the same id."""
        self._marker += 1
        if self._round == 0:
            self._round = 1
        settled = f"{self._round}-{self._index}"
        marker = wire.Marker(self._marker, snapshot or self._published, settled, int(time.time() * 1000))
        self._index += 1
        for topic in TOPICS:
            self._add(topic, marker, f"{self._round}-{self._index}", keep=True)

    def add(self, topic: str, entry: wire.Entry, *, keep: bool = True) -> None:
        """One entry at the next position."""
        self._index += 1
        self._add(topic, entry, f"{self._round}-{self._index}", keep=keep)

    def end_epoch(self) -> None:
        """Close the streams of this epoch and begin the next."""
        self._index += 1
        for topic in TOPICS:
            self._add(topic, wire.End(self.epoch + 1), f"{self._round}-{self._index}", keep=True)
        self.begin_epoch()

    def forget(self) -> None:
        """Numbers start again, as after a Redis that lost everything."""
        self._numbers = {}

    def number_of(self, key: str) -> int:
        """Number of the last entry of a stream."""
        return self._numbers.get(key, 0)

    def set_number(self, key: str, number: int) -> None:
        """Go on behind this number, as after a stream that was rolled back."""
        self._numbers[key] = number

    def _add(self, topic: str, entry: wire.Entry, position: str, *, keep: bool) -> None:
        key = self.key(topic)
        self._numbers[key] = self._numbers.get(key, 0) + 1
        if keep:
            self._redis.xadd(key, wire.encode(entry, self._numbers[key]), id=position)  # type: ignore[arg-type]

    def _value(self, query: str) -> Any:
        row = self._conn.execute(query).fetchone()
        assert row is not None
        return row[0]


def emit(
    conn: psycopg.Connection[Any], key: str, *, topic: str = "post", kind: str = "post.created", **data: Any
) -> int:
    """Write one event to the outbox; its id."""
    row = conn.execute(
        "SELECT outbox.emit(%s, %s, %s, %s)",
        (topic, kind, key, Jsonb({"id": key, **data})),
    ).fetchone()
    assert row is not None
    return int(row[0])
