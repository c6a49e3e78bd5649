"""Write one event in the caller's transaction: for happenings that have no table row, and apps without triggers.

The caller owns the transaction: nothing here opens, commits or retries. Other languages call `outbox.emit` in SQL,
which does the same; rows of captured tables need neither, their triggers write the event (outbox/capture/).
"""

from __future__ import annotations

from typing import Final

from psycopg.types.json import Jsonb

from runtime.postgres import Connection
from schemas.envelope import NewEvent
from schemas.registry import REGISTRY
from schemas.topics import topic_of

_EMIT: Final = "SELECT outbox.emit(%s, %s, %s, %s, %s)"
_CONTEXT: Final = "SELECT set_config('stunity.traceparent', %s, true), set_config('stunity.actor', %s, true)"


async def append(conn: Connection, event: NewEvent) -> int:
    """Write the event; returns its id. It is published if, and only if, the caller commits.

    State must come from the written row (RETURNING), never from what the application believed before the write.

    Raises:
        UnknownEvent: no such type.
        MalformedEvent: the payload does not fit its model.
    """
    event_type = REGISTRY.newest(event.type)
    REGISTRY.parse(event_type, event.data)
    row = (topic_of(event_type), event_type, event.key, Jsonb(event.data), Jsonb(event.headers))
    found = await (await conn.execute(_EMIT, row)).fetchone()
    if found is None:
        raise AssertionError("outbox.emit returned no row")
    return int(found[0])


async def set_context(conn: Connection, *, traceparent: str | None = None, actor: str | None = None) -> None:
    """Headers of every event that this transaction writes from now on, captured ones included."""
    await conn.execute(_CONTEXT, (traceparent or "", actor or ""))
