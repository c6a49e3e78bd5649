"""Partitions of the log: made ahead, never at the expense of somebody's insert. Retiring them is `retention.py`.

The SQL functions (migration 003) do one thing each under a short lock_timeout; here is when, and how often again.
The default partition is the net below: a day that could not be made costs nothing but tidiness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

import psycopg
from psycopg import sql

from outbox.locks import LockBusy, with_short_locks
from runtime.postgres import Connection

#: A scheduler that is away for a week must not matter.
DAYS_AHEAD: Final = 8


@dataclass(slots=True)
class Upkeep:
    """What a run did. `put_off` days are tried again by the next run, as are those that are `held` for somebody.

    `forced` days went although somebody needed them.
    """

    made: list[date] = field(default_factory=list)
    archived: list[date] = field(default_factory=list)
    dropped: list[date] = field(default_factory=list)
    put_off: list[date] = field(default_factory=list)
    held: list[date] = field(default_factory=list)
    forced: list[date] = field(default_factory=list)
    #: Rows of today that went because the log may not be larger.
    pruned: int = 0

    def __str__(self) -> str:
        parts = {
            "made": self.made,
            "archived": self.archived,
            "dropped": self.dropped,
            "put off": self.put_off,
            "held": self.held,
            "forced": self.forced,
        }
        told = [f"{name} {' '.join(map(str, days))}" for name, days in parts.items() if days]
        told += [f"{self.pruned} rows of today pruned"] if self.pruned else []
        return ", ".join(told) or "nothing to do"


async def make_ahead(conn: Connection, days: int = DAYS_AHEAD, *, attempts: int = 10) -> Upkeep:
    """Make the partitions of today and the next `days` days, as far as they are missing.

    The connection must not be inside a transaction.
    """
    upkeep = Upkeep()
    today = datetime.now(UTC).date()
    for day in (today + timedelta(days=ahead) for ahead in range(days + 1)):
        made = await attempt(conn, "add_partition", day, attempts=attempts)
        if made is None:
            upkeep.put_off.append(day)
        elif made:
            upkeep.made.append(day)
    return upkeep


Step = Literal["add_partition", "retire_day", "drop_detached"]


async def attempt(conn: Connection, step: Step, *arguments: Any, attempts: int) -> bool | None:
    """Call the step's function; None when its lock was not to be had, or the net has rows of that day."""
    marks = sql.SQL(", ").join(sql.Placeholder() * len(arguments))
    statement = sql.SQL("SELECT {}({})").format(sql.Identifier("outbox", step), marks)

    async def work() -> bool:
        row = await (await conn.execute(statement, arguments)).fetchone()
        return row is not None and row[0] is not False

    try:
        return await with_short_locks(conn, work, attempts=attempts)
    except (LockBusy, psycopg.errors.CheckViolation):
        return None
