"""What an upstream table really looks like: its columns with their types, read from the catalogue.

Upstream ships code before columns and grows enums as it likes, so nothing is assumed to be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.postgres import Connection

_TABLE_SQL = """
SELECT c.oid::bigint, pg_has_role(current_user, c.relowner, 'USAGE')
  FROM pg_class c WHERE c.oid = to_regclass(format('public.%%I', %(table)s::text)) AND c.relkind IN ('r', 'p')
"""

_COLUMNS_SQL = """
SELECT a.attname, coalesce(base.typname, t.typname), a.attnotnull OR a.atthasdef
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_type base ON t.typtype = 'd' AND base.oid = t.typbasetype
 WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
"""


@dataclass(frozen=True, slots=True)
class Table:
    """An existing table: column name → type name, whether we may alter it, and which columns usually hold a value."""

    name: str
    columns: Mapping[str, str]
    owned: bool
    filled: frozenset[str] = frozenset()


async def read_table(conn: Connection, name: str) -> Table | None:
    """The table `name` in schema public; None when there is none."""
    found = await (await conn.execute(_TABLE_SQL, {"table": name})).fetchone()
    if found is None:
        return None
    rows = await (await conn.execute(_COLUMNS_SQL, {"oid": found[0]})).fetchall()
    columns = {str(column): str(kind) for column, kind, _ in rows}
    return Table(name, columns, bool(found[1]), frozenset(column for column, _, filled in rows if filled))
