"""`engine.rebuilds`: which rebuild of which view is how far.

SQL and rows; decisions are `process.py`'s, `switch.py`'s and `sweep.py`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from consumers.engine.rebuild.shadow import Sides, shadow_name
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_dicts, fetch_rows
from runtime.statements import load

SQL: Final = load(Path(__file__).parent / "sql" / "rebuilds.sql")

State = Literal["filling", "following", "switching", "kept", "dropping", "dropped"]
#: A rebuild in one of these has not been finished.
RUNNING: Final[tuple[State, ...]] = ("filling", "following", "switching")


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One row."""

    id: int
    view: str
    source: Literal["truth", "log"]
    state: State
    step: str
    done: int
    total: int
    sides: dict[str, Any] | None
    error: str | None
    started_at: datetime
    switched_at: datetime | None
    keep_until: datetime | None

    @property
    def shadow(self) -> str:
        """The shadow's name."""
        return shadow_name(self.view, self.id)


class Register:
    """The table, for one process. Every method raises Retryable while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def begin(self, view: str, source: str, keep: timedelta) -> Rebuild:
        """A new row."""
        async with self.connection() as conn:
            [(number,)] = await fetch_rows(conn, SQL["begin"], {"view": view, "source": source, "keep": keep})
        return await self.get(number)

    async def get(self, number: int) -> Rebuild:
        """The row as it stands."""
        [row] = await self._rows("get", {"id": number})
        return row

    async def newest(self, view: str, *states: State) -> Rebuild | None:
        """The view's newest rebuild in one of these states."""
        rows = await self._rows("of_view", {"view": view, "states": list(states)})
        return rows[0] if rows else None

    async def progress(self, number: int, step: str, done: int, total: int) -> None:
        """Tell how far it is."""
        await self.execute("progress", {"id": number, "step": step, "done": done, "total": total})

    async def move(self, number: int, *before: State, to: State, error: str | None = None) -> bool:
        """Change the state, if it is one of `before`."""
        return await self.execute("move", {"id": number, "from": list(before), "to": to, "error": error}) > 0

    async def start_switch(self, number: int, sides: Sides, life: str | None) -> None:
        """Note what is about to change names; `life` is the incarnation of what serves now."""
        noted = {"serving": sides.serving, "shadow": sides.shadow, "life": life}
        await self.execute("start_switch", {"id": number, "sides": Jsonb(noted)})

    async def standing(self, consumer: str) -> tuple[bool, float, float] | None:
        """Whether a consumer's view is live, its lag in seconds, and for how long it has said nothing."""
        async with self.connection() as conn:
            rows = await fetch_rows(conn, SQL["standing"], {"consumer": consumer})
        return rows[0] if rows else None

    async def numbers(self, name: str, params: dict[str, Any] | None = None) -> list[int]:
        """The first column of a statement."""
        async with self.connection() as conn:
            return [row[0] for row in await fetch_rows(conn, SQL[name], params)]

    async def execute(self, name: str, params: dict[str, Any] | None = None) -> int:
        """Run a statement; how many rows it changed."""
        async with self.connection() as conn:
            return (await conn.execute(SQL[name], params)).rowcount

    async def _rows(self, name: str, params: dict[str, Any]) -> list[Rebuild]:
        async with self.connection() as conn, conn.cursor(row_factory=class_row(Rebuild)) as cursor:
            await cursor.execute(SQL[name], params)
            return await cursor.fetchall()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection in a transaction; an outage comes out as Retryable."""
        try:
            async with self.pool.connection() as conn:
                yield conn
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL: {error}") from error


async def report(conn: Connection) -> Sequence[dict[str, Any]]:
    """Rebuilds that run, are kept, or ended within a day, newest first; `etaS`: seconds left, if that can be told."""
    rows = await fetch_dicts(conn, SQL["report"])
    for row in rows:
        row["etaS"] = eta(row["done"], row["total"], row["seconds"]) if row["state"] == "filling" else None
    return rows


def eta(done: int, total: int, seconds: float) -> int | None:
    """Seconds that the rest takes at the rate so far."""
    return round(seconds / done * max(total - done, 0)) if done > 0 and total > 0 else None
