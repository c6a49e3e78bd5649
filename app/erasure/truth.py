"""The person's row in the truth. Upstream owns it: what goes with it is what upstream's own foreign keys say.

Where upstream has deleted the account already there is nothing to do. Where our role may not, or something of the
school's still rests on the person (a course that they teach), nothing is erased at all: a view of a truth that has the
person would have them again.
"""

from __future__ import annotations

from typing import Final

import psycopg

from app.erasure.person import Person
from runtime.errors import ConfigurationError
from runtime.postgres import Connection

_DELETE: Final = "DELETE FROM public.users WHERE id = %s"


async def leave(conn: Connection, person: Person) -> int:
    """Delete the person's row, with the events that capture makes of that; how many rows.

    Raises:
        ConfigurationError: it cannot be deleted from here; what has to be done first is said.
    """
    try:
        async with conn.transaction():
            return (await conn.execute(_DELETE, (person.id,))).rowcount
    except (psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation) as error:
        what = error.diag.table_name or "another table"
        raise ConfigurationError(
            f"nothing was erased: rows of {what} rest on this person; give them to somebody else or delete them first"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            "nothing was erased: this role may not delete users; delete the account in the app, then run this again"
        ) from error
    except psycopg.errors.UndefinedTable:
        return 0
