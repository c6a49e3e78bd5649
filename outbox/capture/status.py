"""What capture stands on which table: reads only, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outbox.capture.columns import read_table
from outbox.capture.install import State, left_out, read_policy, related_tables, standing
from outbox.capture.sources import SOURCES, Source
from outbox.capture.statements import Policy, Unusable, build
from runtime.postgres import Connection

#: `outdated`: the table's columns, or our statements, have changed since; `capture install` renews it.
_WORDS: Final = {State.CURRENT: "installed", State.RENEWED: "outdated", None: "not installed"}


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table: installed, outdated, not installed, absent or unusable; and the columns that may leave it."""

    table: str
    state: str
    columns: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The policy, how many writes went through without their event, and every table that we know."""

    policy: Policy
    gaps: int
    tables: tuple[TableStatus, ...]


async def status(conn: Connection) -> Status:
    """How capture stands now."""
    policy = await read_policy(conn)
    async with conn.transaction():
        row = await (await conn.execute("SELECT count(*) FROM outbox.capture_gaps")).fetchone()
        tables = [await _table_status(conn, source, policy) for source in SOURCES.values()]
    return Status(policy, int(row[0]) if row else 0, tuple(tables))


async def _table_status(conn: Connection, source: Source, policy: Policy) -> TableStatus:
    table = await read_table(conn, source.table)
    if table is None:
        return TableStatus(source.table, "absent")
    try:
        statements = build(source, table, policy, await related_tables(conn, source))
    except Unusable as reason:
        return TableStatus(source.table, "unusable", detail=str(reason))
    state = await standing(conn, source, statements.digest)
    return TableStatus(source.table, _WORDS[state], statements.columns, left_out(source, table))
