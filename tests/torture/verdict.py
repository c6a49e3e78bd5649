"""What must hold of the streams at the end of a round of torture, whatever happened on the way."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from outbox.relay.position import Position
from schemas import wire
from schemas.topics import TOPICS
from schemas.wire import End
from tests.support.relay import Entry, Streams

Fields = tuple[str, ...]
Key = tuple[str, str]

# The rows as both modes have to print them; the markers' side of it is in tests/support/relay.py.
_LOG = """
SELECT id::text, xid::text, (occurred_at AT TIME ZONE 'UTC')::text || '+00', topic, type, key, data::text, headers::text
  FROM outbox.events
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, for the report."""

    events: int
    epochs: int


def judge(streams: Streams) -> Verdict:
    """Assert that the streams hold the log: once, whole, in order, field by field.

    Over several epochs an event may come twice; within each the promises are the same.
    """
    conn = streams.conn
    epochs = dict(conn.execute("SELECT epoch, partitions FROM outbox.epochs ORDER BY epoch").fetchall())
    log = {row[0]: tuple(row) for row in conn.execute(_LOG)}
    versions: dict[Key, int] = {
        (topic, key): v for topic, key, v in conn.execute("SELECT topic, key, v FROM torture_versions")
    }
    published: set[str] = set()
    reached: dict[Key, set[int]] = defaultdict(set)
    for epoch, partitions in epochs.items():
        found = _events(streams, epoch, partitions)
        _check_content(found, log)
        _check_order(found, reached, whole=len(epochs) == 1)
        _check_end(streams.check_epoch(epoch, partitions), closed=epoch != max(epochs))
        ids = [fields[0] for _, fields in found]
        assert len(ids) == len(set(ids)), f"epoch {epoch} has events twice"
        published.update(ids)
    missing = log.keys() - published
    assert not missing, (
        f"{len(missing)} committed events are in no stream, the first is {min(map(int, missing))}"
    )
    for key, v in versions.items():
        assert reached[key] == set(range(1, v + 1)), f"{key} has other versions than 1 to {v}"
    return Verdict(len(log), len(epochs))


def _events(streams: Streams, epoch: int, partitions: int) -> list[tuple[Position, Fields]]:
    """Every event of an epoch in the form of a row of the log, stream by stream."""
    found = []
    for topic in TOPICS:
        for p in range(partitions):
            raw: Any = streams.client.xrange(streams.key(topic, p, epoch))
            for place, fields in raw:
                if b"c" not in fields:
                    _, *before, kind, key = (part.decode() for part in wire.head(fields))
                    texts = [*before, topic, kind, key, fields[b"d"].decode()]
                    found.append((Position.parse(place), (*texts, fields.get(b"h", b"{}").decode())))
    return found


def _check_end(entries: list[Entry], *, closed: bool) -> None:
    """The last entry of a stream whose epoch is over says where it goes on; no other entry does."""
    last = {(entry.topic, entry.partition): entry for entry in entries}
    ends = {(entry.topic, entry.partition) for entry in entries if isinstance(entry.said, End)}
    assert ends == (last.keys() if closed else set()), "an end is missing, or came too early"
    assert all(isinstance(last[stream].said, End) for stream in ends), "something follows an end"


def _check_content(found: list[tuple[Position, Fields]], log: dict[str, Fields]) -> None:
    for place, fields in found:
        assert log.get(fields[0]) == fields, f"at {place}: {fields}, committed was {log.get(fields[0])}"


def _check_order(found: list[tuple[Position, Fields]], reached: dict[Key, set[int]], *, whole: bool) -> None:
    """Per key the versions that were counted under its lock, rising; in a single epoch without a hole."""
    newest: dict[Key, int] = {}
    for place, fields in found:
        key, version = (fields[3], fields[5]), json.loads(fields[6])["v"]
        before = newest.get(key, 0)
        right = version == before + 1 if whole else version > before
        assert right, f"at {place}: {key} goes from version {before} to {version}"
        newest[key] = version
        reached[key].add(version)
