"""How far a view is: the text that the view's own store keeps (I10b), and the copy that PostgreSQL keeps.

`snapshot` is what the view has applied for certain: every event that it sees is in the view. Stream positions are
only where reading goes on; without them (or when they can't be trusted) the view follows the log from `snapshot`.
Moving a checkpoint forward is `tracker.py` on streams and `catchup.py` on the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from consumers.engine.positions import STREAM_START, StreamId
from runtime.postgres import Connection
from runtime.statements import load
from schemas.snapshot import Snapshot

_SQL: Final = load(Path(__file__).parent / "sql" / "checkpoints.sql")
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class StreamState:
    """The last entry of one stream that is in the view, and the newest marker passed on it."""

    id: StreamId = STREAM_START
    n: int = 0
    marker: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of the log that is under way, towards snapshot `upto` of `epoch`; done up to row `after`."""

    upto: str
    epoch: int
    taken_at_ms: int
    after: int = 0


@dataclass(frozen=True, slots=True)
class Refill:
    """A fill from the truth that is under way: `source` is being read and done up to `cursor`.

    No source: it has yet to begin, and what the view holds of before has yet to be cleared away.
    """

    source: str = ""
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything needed to go on after a crash.

    Attributes:
        incarnation: random name of this life of the view; another one means that the store was exchanged.
        epoch: the epoch that `snapshot` and `streams` belong to.
        taken_at_ms: when `snapshot` was taken; older than the log's retention means that the log can't serve.
        fill: newest row of outbox.fills that the view has served.
        served: whether there was a truth to fill the view from; reads are answered from PostgreSQL otherwise.
    """

    incarnation: str
    epoch: int
    snapshot: Snapshot
    taken_at_ms: int
    fill: int
    served: bool = True
    streams: Mapping[str, StreamState] = field(default_factory=dict)
    scan: Scan | None = None
    refill: Refill | None = None

    @property
    def live(self) -> bool:
        """Whether reads may be answered from the view."""
        return self.served and self.refill is None

    def dump(self) -> str:
        """The text form."""
        document: dict[str, Any] = {
            "v": _VERSION,
            "incarnation": self.incarnation,
            "epoch": self.epoch,
            "snapshot": str(self.snapshot),
            "taken_at_ms": self.taken_at_ms,
            "fill": self.fill,
            "served": self.served,
            "streams": {key: [*state.id, state.n, state.marker] for key, state in self.streams.items()},
        }
        if self.scan:
            document["scan"] = [self.scan.upto, self.scan.epoch, self.scan.taken_at_ms, self.scan.after]
        if self.refill:
            document["refill"] = [self.refill.source, self.refill.cursor]
        return orjson.dumps(document).decode()

    @classmethod
    def load(cls, text: str) -> Checkpoint:
        """Read the text form.

        Raises:
            ValueError: not a checkpoint of this version.
        """
        document = orjson.loads(text)
        if not isinstance(document, dict) or document.get("v") != _VERSION:
            raise ValueError(f"not a checkpoint of version {_VERSION}")
        scan, refill = document.get("scan"), document.get("refill")
        return cls(
            incarnation=document["incarnation"],
            epoch=document["epoch"],
            snapshot=Snapshot.parse(document["snapshot"]),
            taken_at_ms=document["taken_at_ms"],
            fill=document["fill"],
            served=document["served"],
            streams={k: StreamState((ms, seq), n, u) for k, (ms, seq, n, u) in document["streams"].items()},
            scan=Scan(*scan) if scan else None,
            refill=Refill(*refill) if refill else None,
        )


async def save_copy(
    conn: Connection, consumer: str, topics: frozenset[str], generation: int, checkpoint: Checkpoint
) -> None:
    """Tell readers and operators. Not flushed: the copy may be behind after a crash, never ahead."""
    await conn.execute("SET LOCAL synchronous_commit = off")
    params = {
        "consumer": consumer,
        "topics": sorted(topics),
        "generation": generation,
        "state": "live" if checkpoint.live else "filling",
        "incarnation": checkpoint.incarnation,
        "epoch": checkpoint.epoch,
        "snapshot": str(checkpoint.snapshot),
        "checkpoint": checkpoint.dump(),
    }
    await conn.execute(_SQL["save_copy"], params)


async def load_incarnation(conn: Connection, consumer: str) -> str | None:
    """The incarnation that PostgreSQL knows of, None when the view is new."""
    row = await (await conn.execute(_SQL["load_incarnation"], (consumer,))).fetchone()
    return row[0] if row else None
