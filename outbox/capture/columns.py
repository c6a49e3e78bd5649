"""What an upstream table really looks like: its columns with their types, read from the catalogue.

Upstream ships code before columns and grows enums as it likes, so nothing is assumed to be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.postgres import Connection

_TABLE_SQL = """
SELECT c.oid::bigint, pg_has_role(current_user, c.relowner, 'USAGE'),
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
                  AND t.tgtype & 19 = 19)  -- FOR EACH ROW, BEFORE, UPDATE
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
    """An existing table as the statements need to know it.

    Attributes:
        columns: column name → type name.
        owned: whether we may alter it.
        filled: the columns that usually hold a value.
        rewritten: a BEFORE UPDATE trigger may change columns that a statement does not name.
    """

    name: str
    columns: Mapping[str, str]
    owned: bool
    filled: frozenset[str] = frozenset()
    rewritten: bool = True


async def read_table(conn: Connection, name: str) -> Table | None:
    """The table `name` in schema public; None when there is none."""
    found = await (await conn.execute(_TABLE_SQL, {"table": name})).fetchone()
    if found is None:
        return None
    rows = await (await conn.execute(_COLUMNS_SQL, {"oid": found[0]})).fetchall()
    columns = {str(column): str(kind) for column, kind, _ in rows}
    filled = frozenset(column for column, _, filled in rows if filled)
    return Table(name, columns, owned=bool(found[1]), filled=filled, rewritten=bool(found[2]))
