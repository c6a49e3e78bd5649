"""Facts of a day into one file, read back before anybody relies on it; and files changed when a person is erased.

Files themselves are `schemas/archive.py`; which days, and when, is `retention.py`. Archiving and changing files exclude
each other (`exclusive`), so that a file never keeps what was erased while it was being written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from runtime.errors import Retryable
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load
from schemas.archive import GROUP_ROWS, Archive
from schemas.envelope import Event
from schemas.topics import FACT_TOPICS

SQL: Final = load(Path(__file__).parent / "retention.sql")
TOPICS: Final = sorted(FACT_TOPICS)


def path_of(day: date) -> str:
    """Where a day's facts are, below ARCHIVE_URL."""
    return f"facts/{day:%Y/%m}/{day:%Y-%m-%d}.parquet"


async def exclusive(conn: Connection) -> None:
    """Wait until no other transaction archives or changes files; this one may until it ends."""
    await conn.execute(SQL["exclusive"])


async def store(
    conn: Connection, archive: Archive, day: date, source: Literal["attached", "detached"]
) -> int:
    """Archive a day's facts and register the file; how many there are. Done again, it replaces the file.

    Raises:
        Retryable: the storage can't be reached, or does not give back what was written.
    """
    async with conn.transaction():
        await exclusive(conn)
        path = path_of(day)
        writer = await asyncio.to_thread(archive.writer, path)
        try:
            while events := await _page(conn, day, source, writer.max_id):
                await asyncio.to_thread(writer.add, events)
        except BaseException:
            await asyncio.to_thread(writer.give_up)
            raise
        digest = await asyncio.to_thread(writer.close)
        await _register(conn, archive, day, (writer.rows, writer.max_id, digest))
    return writer.rows


async def rewrite(conn: Connection, archive: Archive, change: Callable[[Event], Event]) -> int:
    """Let `change` have every archived event; files in which one differs are replaced. How many events differ.

    The caller has changed the log itself before, in a transaction that has been committed.
    """
    changed = 0
    async with conn.transaction():
        await exclusive(conn)
        for day, path in await fetch_rows(conn, SQL["all_archived"]):
            differing, rows, max_id, digest = await asyncio.to_thread(_rewrite_file, archive, path, change)
            if differing:
                await _register(conn, archive, day, (rows, max_id, digest))
            changed += differing
    return changed


def _rewrite_file(archive: Archive, path: str, change: Callable[[Event], Event]) -> tuple[int, int, int, str]:
    groups = [[(event, change(event)) for event in group] for group in archive.groups(path)]
    differing = sum(before != after for group in groups for before, after in group)
    if not differing:
        return 0, 0, 0, ""
    writer = archive.writer(path)
    for group in groups:
        writer.add([after for _, after in group])
    return differing, writer.rows, writer.max_id, writer.close()


async def _register(conn: Connection, archive: Archive, day: date, written: tuple[int, int, str]) -> None:
    rows, max_id, digest = written
    path = path_of(day)
    if await asyncio.to_thread(archive.digest, path) != (rows, digest):
        raise Retryable(f"archive: {path} does not read as it was written")
    params = {"day": day, "path": path, "rows": rows, "max_id": max_id, "digest": digest}
    await conn.execute(SQL["register"], params)


async def _page(conn: Connection, day: date, source: str, after: int) -> list[Event]:
    params: dict[str, Any] = {"day": day, "topics": TOPICS, "after": after, "max": GROUP_ROWS}
    return [Event(*row) for row in await fetch_rows(conn, SQL[f"{source}_events"], params)]
