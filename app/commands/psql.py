"""`stunity psql`: PostgreSQL's own shell on the running stack; a fresh machine has none in its PATH."""

from __future__ import annotations

import os

import typer

from app.stack import binaries, control
from app.stack.plan import StackSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    context = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=context)(psql)


def psql(context: typer.Context) -> None:
    """Open psql on the running stack's database; options of psql follow as they are."""
    database = control.running(StackSettings().home).environment["DATABASE_URL"]
    program = str(binaries.postgres_bin() / "psql")
    os.execv(program, [program, f"--dbname={database}", *context.args])  # noqa: S606  a list, no shell
