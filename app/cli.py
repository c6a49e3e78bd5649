"""The `stunity` command: collects the modules of `app/commands/`, turns expected errors into one line and exit 2.

A module is imported only when one of its commands is called (all of them for the help), so that `stunity status`
does not wait for the libraries of `stunity bench`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import typer
from rich.console import Console

from app import commands
from runtime.errors import ConfigurationError, Retryable

_ERRORS = Console(stderr=True, highlight=False)

#: Commands whose module is not named after them; a new one that is missing here works, only slower.
_HOMES = {"up": "stack", "down": "stack", "status": "stack", "env": "stack", "rollback": "rebuild"}

# Typer carries its own copy of click and does not export this class.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def build(wanted: str | None = None) -> typer.Typer:
    """The application with every command, or with just the module of the command `wanted`."""
    app = typer.Typer(name="stunity", pretty_exceptions_enable=False, add_completion=False)
    app.callback()(_about)
    for name in _modules(wanted):
        importlib.import_module(f"{commands.__name__}.{name}").register(app)
    return app


def _modules(wanted: str | None) -> list[str]:
    every = sorted(found.name for found in pkgutil.iter_modules(commands.__path__))
    name = _HOMES.get(wanted, wanted.replace("-", "_")) if wanted else ""
    return [name] if name in every else every


def _about() -> None:
    """Stunity's event pipeline: from a committed row to search, vectors, feeds and analytics."""


def main() -> None:
    """Entry point. Exit codes: 0 good, 1 the check failed, 2 wrong usage or a missing service."""
    arguments = sys.argv[1:] or ["--help"]
    try:
        code = build(arguments[0])(arguments, standalone_mode=False)
    except (ConfigurationError, Retryable) as error:
        _fail(str(error))
    except typer.Abort:
        sys.exit(130)
    except _UsageError as error:
        _fail(f"{_message(error)} (try --help)")
    except Exception as error:
        if not _lacks_tables(error):
            raise
        _fail(f"{str(error).splitlines()[0]}: run `stunity migrate` first, or is this another database?")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _lacks_tables(error: Exception) -> bool:
    """Whether PostgreSQL says that something is not there which migrations make."""
    from psycopg import errors

    return isinstance(error, (errors.UndefinedTable, errors.UndefinedFunction, errors.InvalidSchemaName))


def _message(error: Exception) -> str:
    formatted = getattr(error, "format_message", error.__str__)
    return str(formatted())


def _fail(message: str) -> None:
    one_line = " ".join(message.split())  # servers say where they looked on lines of their own
    _ERRORS.print(f"stunity: {one_line}", markup=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
