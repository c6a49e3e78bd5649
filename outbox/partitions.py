"""Partitions of the log: made ahead, retired when their days are over, never at the expense of somebody's insert.

The SQL functions (migration 003) do one thing each under a short lock_timeout; here is when, and how often again.
The default partition is the net below: a day that could not be made costs nothing but tidiness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import psycopg
from psycopg import sql

from outbox.locks import LockBusy, with_short_locks
from runtime.postgres import Connection

#: A scheduler that is away for a week must not matter.
DAYS_AHEAD: Final = 8

_PRUNE_SQL: Final = "SELECT outbox.prune_default()"


@dataclass(slots=True)
class Upkeep:
    """What a run did. `put_off` days are tried again by the next run."""

    made: list[date] = field(default_factory=list)
    dropped: list[date] = field(default_factory=list)
    put_off: list[date] = field(default_factory=list)

    def __str__(self) -> str:
        parts = {"made": self.made, "dropped": self.dropped, "put off": self.put_off}
        told = (f"{name} {' '.join(map(str, days))}" for name, days in parts.items() if days)
        return ", ".join(told) or "nothing to do"


async def make_ahead(conn: Connection, days: int = DAYS_AHEAD, *, attempts: int = 10) -> Upkeep:
    """Make the partitions of today and the next `days` days, as far as they are missing.

    The connection must not be inside a transaction.
    """
    upkeep = Upkeep()
    today = datetime.now(UTC).date()
    for day in (today + timedelta(days=ahead) for ahead in range(days + 1)):
        made = await _try(conn, "add_partition", day, attempts)
        if made is None:
            upkeep.put_off.append(day)
        elif made:
            upkeep.made.append(day)
    return upkeep


async def retire(conn: Connection, *, attempts: int = 10) -> Upkeep:
    """Drop the days that are older than the retention (`outbox.settings`), and what is that old in the net.

    A day leaves the log first and is dropped afterwards, so that a crash between the two loses no disk space.
    The connection must not be inside a transaction.
    """
    upkeep = Upkeep()
    for day in await _days(conn, "expired_days"):
        if await _try(conn, "detach_partition", day, attempts) is None:
            upkeep.put_off.append(day)
    for day in await _days(conn, "detached_days"):
        dropped = await _try(conn, "drop_detached", day, attempts)
        (upkeep.put_off if dropped is None else upkeep.dropped).append(day)
    while await _pruned(conn):
        pass
    return upkeep


_Step = Literal["add_partition", "detach_partition", "drop_detached"]


async def _try(conn: Connection, step: _Step, day: date, attempts: int) -> bool | None:
    """Call the step's function for a day; None when its lock was not to be had, or the net has rows of that day."""
    statement = sql.SQL("SELECT {}(%s)").format(sql.Identifier("outbox", step))

    async def work() -> bool:
        row = await (await conn.execute(statement, (day,))).fetchone()
        return row is not None and row[0] is not False

    try:
        return await with_short_locks(conn, work, attempts=attempts)
    except (LockBusy, psycopg.errors.CheckViolation):
        return None


async def _days(conn: Connection, function: Literal["expired_days", "detached_days"]) -> list[date]:
    async with conn.transaction():
        found = await conn.execute(sql.SQL("SELECT {}()").format(sql.Identifier("outbox", function)))
        return [day for (day,) in await found.fetchall()]


async def _pruned(conn: Connection) -> bool:
    async with conn.transaction():
        row = await (await conn.execute(_PRUNE_SQL)).fetchone()
    return row is not None and row[0] > 0
