"""When the streams have to begin anew (I6b), decided without I/O from what PostgreSQL and Redis say.

Stream ids come from the WAL or from counted rounds, and snapshots from one cluster's transaction counter. Whatever
breaks one of these rows of numbers begins a new epoch, with new streams; an event is then told by (epoch, id).
Carrying it out is `opening.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from outbox.relay.position import Position
from outbox.relay.settings import Mode
from outbox.relay.slot import SlotState
from outbox.relay.store import Epoch, Server


class Reason(StrEnum):
    """Why an epoch begins; stored in outbox.epochs."""

    FIRST = "first start"
    CLUSTER = "another cluster or database"
    ROLLED_BACK = "the database is older than the streams"
    TIMELINE = "promoted below the published position"
    MODE = "another mode"
    PARTITIONS = "another number of partitions"
    SLOT_LOST = "the slot was lost"
    PUBLICATION = "the publication was replaced"

    @property
    def breaks_snapshots(self) -> bool:
        """Whether snapshots and xids from before mean nothing any more."""
        return self in (Reason.CLUSTER, Reason.ROLLED_BACK, Reason.TIMELINE)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a relay finds when it starts."""

    current: Epoch | None
    server: Server
    mode: Mode
    partitions: int
    #: How far the current epoch's streams reach.
    published: Position
    #: The newest epoch that Redis has heard of.
    newest_in_redis: int
    slot: SlotState = SlotState.IDLE
    #: poll: the newest stored round.
    last_round: int = 0
    #: wal: which publication of the log there is, as an oid.
    publication: int | None = None
    #: wal: where the server left the timeline that the epoch was on; None when it is on the same.
    switched_at: int | None = None


def reason_for_new_epoch(now: Situation) -> Reason | None:
    """Why the current epoch can't go on; None when it can."""
    current = now.current
    if current is None:
        return Reason.FIRST
    if _is_elsewhere(current, now.server):
        return Reason.CLUSTER
    if now.newest_in_redis > current.epoch or _is_ahead(current, now):
        return Reason.ROLLED_BACK
    if now.switched_at is not None and now.published.major >= now.switched_at:
        return Reason.TIMELINE
    if current.mode != now.mode:
        return Reason.MODE
    if current.partitions != now.partitions:
        return Reason.PARTITIONS
    if now.mode == "wal" and now.slot in (SlotState.MISSING, SlotState.LOST):
        return Reason.SLOT_LOST
    if now.mode == "wal" and current.publication_oid != now.publication:
        return Reason.PUBLICATION
    return None


def next_epoch(now: Situation) -> int:
    """A number that neither PostgreSQL nor Redis has used."""
    return max(now.server.newest_epoch, now.newest_in_redis) + 1


def _is_elsewhere(current: Epoch, server: Server) -> bool:
    known = current.system_identifier is not None and server.system_identifier is not None
    other_cluster = known and current.system_identifier != server.system_identifier
    return other_cluster or current.database_oid != server.database_oid


def _is_ahead(current: Epoch, now: Situation) -> bool:
    """Whether the streams hold what this database can't have sent."""
    if current.mode == "poll":
        return now.published.major > now.last_round
    return now.published.major > now.server.insert_lsn
