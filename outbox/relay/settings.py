"""Everything that a relay can be told, validated once; built from the process's settings in `app/commands/relay.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from schemas.topics import TOPICS

Mode = Literal["wal", "poll"]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Times in seconds, sizes in bytes."""

    database_url: str
    replication_url: str
    redis_url: str
    prefix: str = "stunity"
    mode: Literal["wal", "poll", "auto"] = "auto"
    partitions: int = 1
    topics: tuple[str, ...] = TOPICS
    publication: str = "stunity_outbox"
    # A batch is one call of the script: large enough to be cheap, small enough not to hold Redis up for long, and to
    # stay in the processor's cache on its way: with 4,000 events a call takes half as long again per event.
    batch_events: int = 1000
    batch_bytes: int = 1 << 20
    queue_batches: int = 8
    # How long a small batch may wait for company; 0 sends as soon as Redis has answered the one before.
    linger: float = 0.0
    marker_interval: float = 0.05
    # PostgreSQL hears of a position when it is older than both: what Redis may still lose must be in the WAL.
    trail_seconds: float = 5.0
    trail_bytes: int = 16 << 20
    state_interval: float = 2.0
    report_interval: float = 10.0
    # After so much silence a relay counts as dead, and its successor begins.
    dead_after: float = 3.0
    standby_interval: float = 0.5
    # A new slot waits for every open transaction. In mode auto the relay polls when that takes longer than this.
    slot_patience: float = 20.0
    redis_timeout: float = 15.0
    # While nothing is sent: how often Redis is asked whether it still stands where we left it.
    idle_check_interval: float = 5.0
    stop_grace: float = 10.0
    longest_backoff: float = 5.0
    # poll mode: pause between two looks, growing from the first to the second while nothing comes.
    poll_interval: float = 0.01
    poll_idle_interval: float = 0.25
    # With a direct connection writers wake the relay; it looks by itself this often all the same.
    poll_asleep_interval: float = 5.0
    # poll mode: a round that Redis does not take for so long is put down, so that no snapshot is held.
    stall_seconds: float = 10.0
    old_epoch_seconds: int = 2 * 86400

    def __post_init__(self) -> None:
        if self.partitions < 1 or self.batch_events < 1 or self.batch_bytes < 1 or self.queue_batches < 1:
            raise ValueError("partitions, batch_events, batch_bytes and queue_batches must be at least 1")
        if self.dead_after < 1:
            raise ValueError("dead_after must be at least one second")

    def economical(self) -> RelaySettings:
        """For stores that are paid by the command: larger batches, rarer markers, and hardly a question while idle."""
        return replace(
            self,
            linger=0.2,
            marker_interval=2.0,
            idle_check_interval=600.0,
            state_interval=10.0,
            poll_interval=0.1,
            poll_idle_interval=2.0,
        )
