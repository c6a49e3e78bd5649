"""Archived days: files in which an event mentions the person are written anew, as the log itself was."""

from __future__ import annotations

from dataclasses import replace

from app.erasure.person import Entry, Person
from outbox import archiving
from runtime.postgres import Connection
from schemas.archive import Archive
from schemas.envelope import Event


async def redact(conn: Connection, archive: Archive, person: Person) -> int:
    """Redact all archived events; how many.

    Raises:
        Retryable: the storage is away.
        ConfigurationError: what reads it is not installed.
    """

    def without(event: Event) -> Event:
        entry = Entry(event.topic, event.type, event.key, event.data, event.headers)
        if not entry.mentions(person):
            return event
        gone = entry.without(person)
        return replace(event, type=gone.type, key=gone.key, data=gone.data, headers=gone.headers)

    return await archiving.rewrite(conn, archive, without)
