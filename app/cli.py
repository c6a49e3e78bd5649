"""The `stunity` command: collects the modules of `app/commands/` and turns expected errors into one line and exit 2.

A command module keeps heavy imports (torch, scikit-learn) inside its functions: every command pays for what is
imported here.
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


def build() -> typer.Typer:
    """The application with every command registered."""
    app = typer.Typer(
        name="stunity", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    app.callback()(_about)
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def _about() -> None:
    """Stunity's event pipeline: from a committed row to search, vectors, feeds and analytics."""


def main() -> None:
    """Entry point. Exit codes: 0 good, 1 the check failed, 2 wrong usage or a missing service."""
    try:
        build()()
    except (ConfigurationError, Retryable) as error:
        _ERRORS.print(f"stunity: {error}", markup=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
