"""When a day leaves the log: old enough, its facts archived, and needed by nobody; past a limit in any case, loudly.

A log that may only be so large (`retention_bytes`) lets days go before they are old, and of a day that is too large by
itself the rows that everybody has seen; unless facts are archived, which is done by whole days.

A consumer that was off for longer finds everything when it comes back, unless it was off for longer than the limit;
then it fills itself from the truth (`outbox.log_reaches` tells it). Who needs the log is told by the caller
(`app/retention.py`); files are `archiving.py`. The same short locks as in `partitions.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import structlog

from outbox.archiving import SQL, TOPICS, store
from outbox.partitions import Upkeep, attempt
from runtime.postgres import Connection, fetch_rows
from schemas.archive import Archive

log = structlog.get_logger(__name__)

_PRUNED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Need:
    """Somebody who may lack every event that `snapshot` (of `epoch`, taken then) does not see."""

    name: str
    epoch: int
    snapshot: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class _Expired:
    """A day past the retention; `net`: it has rows in the default partition; `limit`: nobody is waited for any more."""

    day: date
    net: bool
    limit: bool


async def retire(
    conn: Connection, needs: Sequence[Need] = (), archive: Archive | None = None, *, attempts: int = 10
) -> Upkeep:
    """Let go of the days that are older than the retention (`outbox.settings`), and of what is that old in the net.

    A day leaves the log first and is dropped afterwards, so that a crash between the two loses no disk space.
    The connection must not be inside a transaction.

    Raises:
        Retryable: the archive can't be reached; nothing is dropped then.
    """
    upkeep = Upkeep()
    async with conn.transaction():
        needs = [*needs, *(Need(*row) for row in await fetch_rows(conn, SQL["own_needs"]))]
        expired = [_Expired(*row) for row in await fetch_rows(conn, SQL["expired"])]
    for one in expired:
        await _retire_day(conn, one, needs, archive, upkeep, attempts)
    async with conn.transaction():
        await conn.execute(SQL["no_longer_held"], {"days": upkeep.held})
    for day in await _detached(conn):
        if archive is not None and await _complete_file(conn, archive, day):
            upkeep.archived.append(day)
        dropped = await attempt(conn, "drop_detached", day, attempts=attempts)
        (upkeep.put_off if dropped is None else upkeep.dropped).append(day)
    if archive is None:
        upkeep.pruned = await _prune_today(conn, needs)
    return upkeep


async def _retire_day(
    conn: Connection,
    one: _Expired,
    needs: Sequence[Need],
    archive: Archive | None,
    upkeep: Upkeep,
    attempts: int,
) -> None:
    async with conn.transaction():
        [(max_id, max_xid)] = await fetch_rows(conn, SQL["extent"], (one.day,))
        needed_by = await _needed_by(conn, one.day, max_id, max_xid, needs)
        if needed_by and not one.limit:
            await conn.execute(SQL["hold"], {"day": one.day, "needed_by": needed_by})
    if needed_by and not one.limit:
        log.warning("day_held", day=str(one.day), needed_by=needed_by)
        upkeep.held.append(one.day)
        return
    if archive is not None and max_id is not None and not await _has_file(conn, one.day):
        await store(conn, archive, one.day, "attached")
        upkeep.archived.append(one.day)
    if needed_by:
        log.error("day_forced_out", day=str(one.day), needed_by=needed_by)
        upkeep.forced.append(one.day)
    if one.net:
        await _prune_net(conn, one.day, max_id, max_xid, needed_by)
    done = await _detach(conn, one.day, max_id, max_xid, needed_by, attempts)
    if done is None:
        upkeep.put_off.append(one.day)


async def _detach(
    conn: Connection,
    day: date,
    max_id: int | None,
    max_xid: str | None,
    needed_by: Sequence[str],
    attempts: int,
) -> bool | None:
    """None when the lock was not to be had; a day that stands in the net alone has no partition."""
    async with conn.transaction():
        if day not in {found for (found,) in await fetch_rows(conn, "SELECT outbox.expired_days()")}:
            return False
    return await attempt(conn, "retire_day", day, max_id, max_xid, list(needed_by), attempts=attempts)


async def _needed_by(
    conn: Connection, day: date, max_id: int | None, max_xid: str | None, needs: Sequence[Need]
) -> list[str]:
    if max_id is None or not needs:
        return []
    params = {
        "day": day,
        "max_id": max_id,
        "max_xid": max_xid,
        "names": [need.name for need in needs],
        "epochs": [need.epoch for need in needs],
        "snapshots": [need.snapshot for need in needs],
        "taken": [need.taken_at for need in needs],
    }
    return [name for (name,) in await fetch_rows(conn, SQL["needed_by"], params)]


async def _prune_net(
    conn: Connection, day: date, max_id: int | None, max_xid: str | None, needed_by: Sequence[str]
) -> None:
    gone = _PRUNED_AT_ONCE
    while gone >= _PRUNED_AT_ONCE:
        async with conn.transaction():
            [(gone,)] = await fetch_rows(
                conn,
                "SELECT outbox.prune_net(%s, %s, %s::text::xid8, %s, %s)",
                (day, max_id, max_xid, list(needed_by), _PRUNED_AT_ONCE),
            )


async def _prune_today(conn: Connection, needs: Sequence[Need]) -> int:
    """What autovacuum then gives back to the disk, or to the events that follow."""
    params = {"epochs": [need.epoch for need in needs], "snapshots": [need.snapshot for need in needs]}
    async with conn.transaction():
        [(seen,)] = await fetch_rows(conn, SQL["seen_by_all"], params)
    total, gone = 0, _PRUNED_AT_ONCE
    while seen is not None and gone >= _PRUNED_AT_ONCE:
        async with conn.transaction():
            [(gone,)] = await fetch_rows(conn, SQL["prune_today"], {"seen": seen, "batch": _PRUNED_AT_ONCE})
        total += gone
    return total


async def _has_file(conn: Connection, day: date) -> bool:
    """From an earlier run that did not get its lock; what it lacks is added when the day has left."""
    async with conn.transaction():
        return bool(await fetch_rows(conn, SQL["archived"], (day,)))


async def _detached(conn: Connection) -> list[date]:
    async with conn.transaction():
        return [day for (day,) in await fetch_rows(conn, "SELECT outbox.detached_days()")]


async def _complete_file(conn: Connection, archive: Archive, day: date) -> bool:
    """Write the file again when the table has facts that it lacks: a crash, or a row that came late."""
    async with conn.transaction():
        found = await fetch_rows(conn, SQL["archived"], (day,))
        [(facts,)] = await fetch_rows(conn, SQL["late_facts"], {"day": day, "topics": TOPICS})
    if found and found[0][1] >= facts:
        return False
    await store(conn, archive, day, "detached")
    return True
