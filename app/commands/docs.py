"""`stunity docs`: write the generated reference pages, or check that they are fresh."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("docs")(docs)


def docs(
    check: Annotated[bool, typer.Option(help="Write nothing; exit 1 when a page is stale.")] = False,
) -> None:
    """Generate docs/reference/ from the code."""
    from app import reference

    if not check:
        reference.write()
        return
    stale = reference.stale()
    for name in stale:
        typer.echo(f"docs/reference/{name} is stale: run `stunity docs`", err=True)
    raise typer.Exit(1 if stale else 0)
