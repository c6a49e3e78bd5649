"""Put capture into a database that is in use, and take it out again.

Every table is a transaction of its own whose lock is held for milliseconds and waited for briefly, so that the
school goes on writing. What is installed is in `statements.py`; nothing of upstream's (publications, replica
identities, columns) is touched. A table that was filled before asks the consumers for a first fill.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from psycopg import sql

from outbox.capture.columns import Table, read_table
from outbox.capture.sources import SOURCES, Source
from outbox.capture.statements import TRIGGERS, Policy, Statements, Unusable, build, drop
from outbox.locks import with_short_locks
from runtime.errors import ConfigurationError
from runtime.postgres import Connection

#: Installations of one database run one at a time (transaction-scoped, so any pooler will do).
_LOCK = 7_310_002

_REMEMBER_SQL = """
INSERT INTO outbox.sources (source, topic, columns, digest, triggers) VALUES (%s, %s, %s, %s, true)
ON CONFLICT (source) DO UPDATE SET topic = excluded.topic, columns = excluded.columns, digest = excluded.digest,
    triggers = true, installed_at = now()
"""

_STANDING_SQL = """
SELECT count(*) FILTER (WHERE t.tgenabled <> 'D') = cardinality(%(triggers)s::text[]),
       EXISTS (SELECT FROM outbox.sources s WHERE s.source = %(source)s AND s.digest = %(digest)s)
  FROM pg_trigger t
 WHERE t.tgrelid = format('public.%%I', %(source)s::text)::regclass
   AND t.tgname = ANY (%(triggers)s::text[])
"""


class State(StrEnum):
    """What became of a table."""

    INSTALLED = "installed"
    RENEWED = "renewed"
    CURRENT = "current"
    REMOVED = "removed"
    ABSENT = "absent"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a table, and why where it is not plain."""

    table: str
    state: State
    detail: str = ""


async def install(conn: Connection, tables: Iterable[str] | None = None) -> list[Outcome]:
    """Install or renew capture on all known tables, or on `tables`. Idempotent; what is current is not locked.

    Raises:
        ConfigurationError: `tables` names one that we do not capture.
        LockBusy: a long transaction held a table all the time.
    """
    policy = await read_policy(conn)
    outcomes, filled = [], []
    for source in _chosen(tables):
        outcome, holds_rows = await _install_one(conn, source, policy)
        outcomes.append(outcome)
        if outcome.state in (State.INSTALLED, State.RENEWED) and holds_rows:
            filled.append(source.table)
    if filled:
        reason = f"capture installed on {', '.join(filled)}"
        async with conn.transaction():
            await conn.execute("INSERT INTO outbox.fills (reason) VALUES (%s)", (reason,))
    return outcomes


async def remove(conn: Connection, tables: Iterable[str] | None = None) -> list[Outcome]:
    """Take the triggers off. The tables stay readable as events; what is written meanwhile is not captured."""
    return [await _remove_one(conn, source) for source in _chosen(tables)]


async def read_policy(conn: Connection) -> Policy:
    """What happens to a write whose event cannot be written.

    Raises:
        ConfigurationError: the database has no outbox yet.
    """
    try:
        async with conn.transaction():
            found = await conn.execute("SELECT value FROM outbox.settings WHERE name = 'capture_policy'")
            row = await found.fetchone()
    except psycopg.errors.UndefinedTable:
        raise ConfigurationError("the database has no outbox yet: run `stunity migrate` first") from None
    return "warn" if row == ("warn",) else "abort"


async def set_policy(conn: Connection, policy: Policy) -> None:
    """Store the policy and write it into the functions; takes no lock on any upstream table."""
    await read_policy(conn)
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await conn.execute("UPDATE outbox.settings SET value = %s WHERE name = 'capture_policy'", (policy,))
        found = await conn.execute("SELECT source FROM outbox.sources WHERE triggers")
        installed = {name for (name,) in await found.fetchall()}
        for source in (SOURCES[name] for name in SOURCES if name in installed):
            table = await read_table(conn, source.table)
            if table is not None:
                statements = build(source, table, policy, await related_tables(conn, source))
                await _execute_all(conn, statements.functions)


async def related_tables(conn: Connection, source: Source) -> dict[str, Table]:
    """The tables that a source's lookups need, as far as they exist."""
    names = {lookup.table for lookup in source.lookups.values()}
    return {name: table for name in names if (table := await read_table(conn, name)) is not None}


async def standing(conn: Connection, source: Source, digest: str) -> State | None:
    """CURRENT: just these triggers stand and fire. RENEWED: others of ours do. None: something is not captured."""
    asked = {"source": source.table, "digest": digest, "triggers": list(TRIGGERS)}
    found = await conn.execute(_STANDING_SQL, asked)
    row = await found.fetchone()
    intact, same = row or (False, False)
    return None if not intact else State.CURRENT if same else State.RENEWED


async def _install_one(conn: Connection, source: Source, policy: Policy) -> tuple[Outcome, bool]:
    async def work() -> tuple[Outcome, bool]:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        table = await read_table(conn, source.table)
        if table is None:
            return Outcome(source.table, State.ABSENT), False
        statements = build(source, table, policy, await related_tables(conn, source))
        holds_rows = await _holds_rows(conn, source)
        state = await standing(conn, source, statements.digest) or State.INSTALLED
        await _execute_all(conn, statements.functions)
        if state is not State.CURRENT:
            await _execute_all(conn, [statements.triggers])
            await _remember(conn, source, statements)
        return Outcome(source.table, state, left_out(source, table)), holds_rows

    try:
        return await with_short_locks(conn, work)
    except (Unusable, psycopg.errors.InsufficientPrivilege) as error:
        return Outcome(source.table, State.REFUSED, str(error).strip()), False


async def _remove_one(conn: Connection, source: Source) -> Outcome:
    async def work() -> Outcome:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        triggers, functions = drop(source)
        absent = await read_table(conn, source.table) is None
        await _execute_all(conn, [functions] if absent else [triggers, functions])
        await conn.execute("UPDATE outbox.sources SET triggers = false WHERE source = %s", (source.table,))
        return Outcome(source.table, State.ABSENT if absent else State.REMOVED)

    try:
        return await with_short_locks(conn, work)
    except psycopg.errors.InsufficientPrivilege as error:
        return Outcome(source.table, State.REFUSED, str(error).strip())


async def _holds_rows(conn: Connection, source: Source) -> bool:
    """Whether there is anything to fill from. Row security that hides rows from us is refused here, not later."""
    await conn.execute("SET LOCAL row_security = off")
    exists = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier("public", source.table))
    row = await (await conn.execute(exists)).fetchone()
    return row == (True,)


async def _remember(conn: Connection, source: Source, statements: Statements) -> None:
    row = (source.table, source.topic, list(statements.columns), statements.digest)
    await conn.execute(_REMEMBER_SQL, row)


async def _execute_all(conn: Connection, statements: Sequence[sql.Composed]) -> None:
    for statement in statements:
        await conn.execute(statement)


def left_out(source: Source, table: Table) -> str:
    """Which columns the table does not have, in words."""
    missing = sorted({*source.payload.values()} - table.columns.keys())
    return f"without {', '.join(missing)}" if missing else ""


def _chosen(tables: Iterable[str] | None) -> list[Source]:
    if tables is None:
        return list(SOURCES.values())
    names = list(tables)
    unknown = sorted(set(names) - SOURCES.keys())
    if unknown:
        raise ConfigurationError(f"not captured: {', '.join(unknown)}; choose from {', '.join(SOURCES)}")
    return [SOURCES[name] for name in SOURCES if name in names]
