"""Schema migrations: Alembic keeps the history, plain `.sql` files hold the statements.

Every area (outbox, engine, each view) is a branch of its own in its own folder, so that an area can be deleted with
its folder. Each revision module is ten lines and calls `run_sql`. Which folders there are is said in `app/wiring.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from runtime.errors import Retryable

_SCRIPTS = Path(__file__).parent / "alembic"


def run_sql(module_file: str, name: str) -> None:
    """Execute the file `name` beside the revision module, as it stands (several statements, no parameters)."""
    text = (Path(module_file).parent / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text.replace("%", "%%"))


def upgrade(url: str, folders: Sequence[Path], *, history: str = "migrations") -> None:
    """Bring every branch to its head. Idempotent; concurrent callers wait for each other.

    `history` names the table (in schema `stunity`) that remembers what has run: a set of folders that a database
    may do without keeps a table of its own, so that the other branches never stumble over unknown revisions.

    Raises:
        Retryable: the server cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders))
    config.attributes["url"] = url
    config.attributes["history"] = history
    try:
        command.upgrade(config, "heads")
    except OperationalError as error:
        raise Retryable(f"PostgreSQL cannot be reached: {error.orig}") from error
