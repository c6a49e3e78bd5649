"""`engine.jobs`: long work on a view, its progress, and what operators may do to it. SQL and rows, no work.

A job belongs to a consumer and is done by the process that owns its view (`replay/process.py`), so that there is one
writer, and one that is found again after a crash. Jobs for any worker are dramatiq's (`runtime/jobs.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from runtime.postgres import Connection
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "jobs.sql")

State = Literal["queued", "running", "paused", "cancelled", "done", "failed"]
Wish = Literal["pause", "resume", "cancel"]

_MOVES: Final[Mapping[Wish, tuple[list[State], State]]] = {
    "pause": (["queued", "running"], "paused"),
    "resume": (["paused"], "queued"),
    "cancel": (["queued", "running", "paused"], "cancelled"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One job as operators see it; `eta` is in seconds, None while that can't be told."""

    id: int
    kind: str
    consumer: str
    arguments: dict[str, Any]
    state: State
    cursor: dict[str, Any] | None
    done: int
    total: int
    applied: int
    worked: float
    note: str | None
    asked_at: datetime
    started_at: datetime | None
    changed_at: datetime
    finished_at: datetime | None
    eta: float | None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Taken:
    """What the one who works on a job needs to go on with it."""

    id: int
    arguments: dict[str, Any]
    cursor: dict[str, Any] | None
    done: int
    total: int


async def ask(conn: Connection, kind: str, consumer: str, arguments: Mapping[str, Any], total: int) -> int:
    """Ask for a job; its id."""
    params = {"kind": kind, "consumer": consumer, "arguments": Jsonb(dict(arguments)), "total": total}
    row = await (await conn.execute(_SQL["ask"], params)).fetchone()
    assert row is not None  # RETURNING
    return int(row[0])


async def get(conn: Connection, job_id: int) -> Job | None:
    """One job."""
    async with conn.cursor(row_factory=class_row(Job)) as cursor:
        await cursor.execute(_SQL["get"], {"id": job_id})
        return await cursor.fetchone()


async def listed(conn: Connection, *, closed: bool) -> list[Job]:
    """Jobs, newest first: open ones, or all."""
    async with conn.cursor(row_factory=class_row(Job)) as cursor:
        await cursor.execute(_SQL["list"], {"closed": closed})
        return await cursor.fetchall()


async def wish(conn: Connection, job_id: int, what: Wish) -> bool:
    """Pause, resume or cancel; False when the job is in no state for that."""
    before, after = _MOVES[what]
    params = {"id": job_id, "from": list(before), "to": after}
    return (await conn.execute(_SQL["move"], params)).rowcount > 0


async def owned(conn: Connection, consumer: str) -> bool:
    """Whether a process keeps the view in sync now, and so would do a job of it."""
    row = await (await conn.execute(_SQL["owned"], {"consumer": consumer})).fetchone()
    return row is not None and bool(row[0])


async def take(conn: Connection, kind: str, consumer: str) -> Taken | None:
    """The oldest job of the kind that its view's owner should work on."""
    async with conn.cursor(row_factory=class_row(Taken)) as cursor:
        await cursor.execute(_SQL["take"], {"kind": kind, "consumer": consumer})
        return await cursor.fetchone()


async def progress(
    conn: Connection,
    job_id: int,
    *,
    cursor: Mapping[str, Any],
    done: int,
    applied: int = 0,
    worked: float = 0.0,
    note: str | None = None,
) -> bool:
    """Write down how far it is; False when it has been paused or cancelled."""
    await conn.execute("SET LOCAL synchronous_commit = off")
    params = {
        "id": job_id,
        "cursor": Jsonb(dict(cursor)),
        "done": done,
        "applied": applied,
        "worked": worked,
        "note": note,
    }
    return (await conn.execute(_SQL["progress"], params)).rowcount > 0


async def finish(conn: Connection, job_id: int, state: Literal["done", "failed"], note: str | None) -> None:
    """The end of a job that runs."""
    await conn.execute(_SQL["finish"], {"id": job_id, "state": state, "note": note})
