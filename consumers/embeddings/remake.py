"""The view's tables after somebody has dropped some of them: made again by the migrations that made them first.

What was left goes as well, for a view is filled from the truth. The cache of vectors is among it: whoever drops tables
by hand pays with the model's time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg
import structlog

from runtime.errors import Retryable
from runtime.postgres import Connection, fetch_rows

log = structlog.get_logger(__name__)

_FOLDER: Final = Path(__file__).parent / "migrations"
_BRANCH: Final = "embeddings_"
_IS_WHOLE: Final = """
SELECT bool_and(to_regclass('embeddings.' || name) IS NOT NULL)
       AND to_regprocedure('embeddings.install()') IS NOT NULL
       AND to_regprocedure('embeddings.make_shadow(integer)') IS NOT NULL
  FROM unnest(ARRAY['models', 'checkpoint', 'documents', 'pending', 'stale_interests', 'quota']) AS name
"""


async def remake(conn: Connection) -> bool:
    """Make the schema anew when a part of it is missing; whether it was. In the caller's transaction.

    Raises:
        Retryable: it has never been there, or this role may not make it; `stunity migrate` has to be run.
    """
    if (await fetch_rows(conn, _IS_WHOLE))[0][0]:
        return False
    try:
        await conn.execute("SELECT pg_advisory_xact_lock(7310100)")
        if (await fetch_rows(conn, _IS_WHOLE))[0][0]:  # by somebody else, while we waited
            return False
        last = await _applied(conn)
        await conn.execute("DROP SCHEMA IF EXISTS embeddings CASCADE")
        for statements in sorted(_FOLDER.glob("*.sql")):
            if statements.name[:3] <= last:
                await conn.execute(statements.read_bytes())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable) as error:
        raise Retryable(f"tables of the embeddings are missing, run `stunity migrate`: {error}") from error
    log.warning("tables_made_again", view="embeddings")
    return True


async def _applied(conn: Connection) -> str:
    """The number of the newest migration that this database has had."""
    rows = await fetch_rows(conn, "SELECT version_num FROM stunity.migrations")
    numbers: list[str] = [name.removeprefix(_BRANCH) for (name,) in rows if name.startswith(_BRANCH)]
    if not numbers:
        raise Retryable("the embeddings have no tables yet: run `stunity migrate`")
    return max(numbers)
