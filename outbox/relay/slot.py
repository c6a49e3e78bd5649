"""The replication slot of an epoch: its name, its state, making a new one, and getting rid of old ones.

The slot is what admits one relay in wal mode: the server lets one connection read it. Reading it is `session.py`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import psycopg
import structlog

from outbox.relay.errors import SlotTakesLong, StandBy
from outbox.relay.pgoutput import parse_lsn
from outbox.relay.session import CommandFailed, ReplicationSession
from outbox.relay.silence import Silence
from outbox.relay.store import SQL, Connection
from runtime import telemetry

log = structlog.get_logger(__name__)

_FAILOVER_SINCE: Final = 170000
IN_USE: Final = "55006"
_CANCELLED: Final = "57014"
GONE: Final = frozenset(("42704", "55000"))


class SlotState(Enum):
    """What can be done with a slot."""

    MISSING = auto()
    #: Its WAL is gone, or it was invalidated: no change can be read from it any more.
    LOST = auto()
    IDLE = auto()
    ACTIVE = auto()


@dataclass(frozen=True, slots=True)
class SlotInfo:
    """A slot as the server sees it."""

    state: SlotState
    pid: int | None = None
    confirmed: int = 0
    #: When its reader last said anything, by the reader's own clock.
    said_at: float | None = None
    #: Bytes of WAL that it keeps, and that may still come before it is lost (None: any amount).
    retained: int = 0
    headroom: int | None = None


@dataclass(frozen=True, slots=True)
class CreatedSlot:
    """A new slot: changes from `consistent_point` on, everything before is in the snapshot `snapshot_name`."""

    consistent_point: int
    snapshot_name: str


def slot_name(database_oid: int, epoch: int) -> str:
    """Slots belong to the whole cluster, so the name carries the database."""
    return f"stunity_{database_oid}_{epoch}"


def inspect(conn: Connection, slot: str | None) -> SlotInfo:
    """The state of a slot of this database; measures the WAL that it keeps."""
    row = conn.execute(SQL["slot"], {"slot": slot}).fetchone() if slot else None
    if row is None:
        return SlotInfo(SlotState.MISSING)
    telemetry.RELAY_RETAINED_BYTES.set(row["retained"] or 0)
    telemetry.RELAY_HEADROOM_BYTES.set(-1 if row["headroom"] is None else row["headroom"])
    if row["lost"]:
        return SlotInfo(SlotState.LOST)
    state = SlotState.IDLE if row["active_pid"] is None else SlotState.ACTIVE
    return SlotInfo(
        state, row["active_pid"], row["confirmed"] or 0, row["said_at"], row["retained"] or 0, row["headroom"]
    )


def create(session: ReplicationSession, slot: str, version: int, patience: float) -> CreatedSlot:
    """Make a slot and export the snapshot where it begins; the snapshot lives until the session's next command.

    PostgreSQL waits for the transactions that are running now, however long they stay open.

    Raises:
        SlotTakesLong: longer than `patience`.
        CommandFailed: no slot is free, or the role may not replicate.
    """
    failover = ", FAILOVER" if version >= _FAILOVER_SINCE else ""
    text = f"CREATE_REPLICATION_SLOT {slot} LOGICAL pgoutput (SNAPSHOT 'export'{failover})"
    try:
        (row,) = session.command(text, patience=patience)
    except CommandFailed as error:
        if error.sqlstate == _CANCELLED:
            raise SlotTakesLong("a transaction that stays open keeps a new slot from being made") from error
        raise
    point, name = row["consistent_point"], row["snapshot_name"]
    if point is None or name is None:
        raise CommandFailed(f"slot {slot} was made without a snapshot", "")
    return CreatedSlot(parse_lsn(point), name)


def stand_by(conn: Connection, slot: str, info: SlotInfo, silence: Silence, dead_after: float) -> StandBy:
    """Somebody reads our slot: the reason to wait; a reader that has gone silent is ended."""
    if info.pid is not None and info.said_at is not None:
        silent = silence.of(info.pid, info.said_at)
        if silent > dead_after:
            log.warning("ending_dead_relay", slot=slot, pid=info.pid, silent_seconds=round(silent, 1))
            conn.execute(SQL["end_holder"], {"pid": info.pid})
    return StandBy(f"slot {slot} is read by backend {info.pid}")


def drop_leftovers(conn: Connection, database_oid: int, keep: str | None) -> None:
    """Give back the WAL of slots that no epoch needs."""
    pattern = f"stunity\\_{database_oid}\\_%"
    rows = conn.execute(SQL["leftover_slots"], {"pattern": pattern, "keep": keep or ""}).fetchall()
    for row in rows:
        drop(conn, row["slot_name"])


def drop(conn: Connection, slot: str) -> None:
    """Drop a slot if it is there and nobody reads it."""
    with suppress(psycopg.errors.ObjectInUse, psycopg.errors.UndefinedObject):
        conn.execute(SQL["drop_slot"], {"slot": slot})
        log.info("slot_dropped", slot=slot)
