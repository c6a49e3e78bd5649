"""Who still needs the log, so that retention leaves it to them. What it does then is `outbox/retention.py`'s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "needs.sql")


async def log_needs(conn: Connection) -> Sequence[tuple[str, int, str, datetime]]:
    """Name, epoch, snapshot and when that was taken: events that the snapshot does not see are needed."""
    return await fetch_rows(conn, _SQL["needs"])
