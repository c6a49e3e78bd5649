"""Small things that all write services share: statements from `sql/`, the row type, a row as a client is shown it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runtime import access
from runtime.postgres import Connection, fetch_dicts
from runtime.statements import load

Row = dict[str, Any]

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_RULES: Final = {
    # Upstream keeps UTC in `timestamp(3)` without a zone; the column default would take the session's zone instead.
    "UTC_NOW": "timezone('UTC', now())",
    "POST_VISIBLE": access.POST_VISIBLE,
    "PERSON_VISIBLE": access.PERSON_VISIBLE,
    "CLUB_VISIBLE": access.CLUB_VISIBLE,
    "COURSE_VISIBLE": access.COURSE_VISIBLE,
    "assignments": "{assignments}",  # known at the time of the call only
}


def statements(area: str) -> dict[str, str]:
    """The statements of `sql/<area>.sql`, with `{name}` replaced by that block of the file, or by a visibility rule.

    Raises:
        KeyError: a placeholder names nothing.
    """
    blocks = load(Path(__file__).parent / "sql" / f"{area}.sql")
    known = {**_RULES, **{name: _without_comments(text) for name, text in blocks.items()}}
    return {name: _PLACEHOLDER.sub(lambda found: known[found[1]], text) for name, text in blocks.items()}


def _without_comments(block: str) -> str:
    return "\n".join(line for line in block.splitlines() if not line.startswith("--"))


def with_assignments(statement: str, columns: Collection[str]) -> str:
    """An UPDATE that sets these columns, each from the parameter of its name.

    The names come from the fields of our own models, never from a request; quoting them is upstream's camelCase.
    """
    return statement.replace("{assignments}", ", ".join(f'"{name}" = %({name})s' for name in columns))


async def fetch_one(conn: Connection, query: str, params: Mapping[str, Any]) -> Row | None:
    """The only row of a statement, or nothing."""
    rows = await fetch_dicts(conn, query, params)
    return rows[0] if rows else None


def shown(row: Row) -> Row:
    """A row as JSON for the client: times in ISO 8601 with milliseconds and Z."""
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _iso(value: datetime) -> str:
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
