"""The log's payloads and the dead letters: every event that mentions the person is rewritten in place.

In short transactions over portions of the log, so that neither writers nor retention wait. Doing it again finds
nothing. Days that have gone to the archive are `archive.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from psycopg.types.json import Jsonb

from app.erasure.person import Entry, Person
from runtime.postgres import Connection, fetch_dicts, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "log.sql")
_PORTION: Final = 20_000


async def redact_events(conn: Connection, person: Person) -> int:
    """Redact the log; how many events."""
    tables = [row[0] for row in await fetch_rows(conn, _SQL["tables"])]
    return sum([await _redact_table(conn, table, person) for table in tables])


async def _redact_table(conn: Connection, table: str, person: Person) -> int:
    statements = {name: text.replace("{TABLE}", table) for name, text in _SQL.items()}
    [(first, last)] = await fetch_rows(conn, statements["bounds"])
    redacted = 0
    for after in range(first, last, _PORTION):
        params = {"id": person.id, "after": after, "upto": after + _PORTION}
        async with conn.transaction():
            for row in await fetch_dicts(conn, statements["page_events"], params):
                if (rewritten := _rewritten(row, person)) is not None:
                    place = {"id": row["id"], "occurred_at": row["occurred_at"]}
                    await conn.execute(statements["rewrite_event"], {**rewritten, **place})
                    redacted += 1
    return redacted


async def redact_letters(conn: Connection, person: Person) -> int:
    """Redact the dead letters, done with or not; how many. None is thrown away: they apply as the log's events do."""
    redacted = 0
    async with conn.transaction():
        for row in await fetch_dicts(conn, _SQL["page_letters"], {"id": person.id}):
            rewritten = _rewritten(row, person)
            notes = {name: person.scrubbed(row[name]) for name in ("reason", "note", "trace")}
            if rewritten is not None or any(notes[name] != row[name] for name in notes):
                same = {"type": row["type"], "key": row["key"]}
                same |= {"data": Jsonb(row["data"]), "headers": Jsonb(row["headers"])}
                await conn.execute(_SQL["rewrite_letter"], {**(rewritten or same), **notes, "id": row["id"]})
                redacted += 1
    return redacted


def _rewritten(row: Mapping[str, Any], person: Person) -> dict[str, Any] | None:
    """The columns of a row without the person; None when it does not mention them."""
    entry = Entry(row["topic"], row["type"], row["key"], row["data"], row["headers"])
    if not entry.mentions(person):
        return None
    gone = entry.without(person)
    return {"type": gone.type, "key": gone.key, "data": Jsonb(gone.data), "headers": Jsonb(gone.headers)}
