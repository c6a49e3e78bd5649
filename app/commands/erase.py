"""`stunity erase`: a person leaves every store."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

import orjson
import typer
from rich.console import Console

from app import wiring
from runtime import logs


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="A person leaves every store; there is no way back.", no_args_is_help=True)
    group.callback()(_about)
    group.command("user")(user)
    app.add_typer(group, name="erase")


def _about() -> None:
    """A person leaves every store; there is no way back."""


def user(
    user_id: Annotated[str, typer.Argument(metavar="ID", help="The person's id (users.id).")],
    by: Annotated[
        str | None, typer.Option(help="Who asks, for the audit record; by default the account.")
    ] = None,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for views and the relay.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Delete the person's row and remove them from views, log, streams, caches, dead letters and jobs.

    May be run again at any time, after a kill as well. Exit 0: nothing is left of them. 1: something is, and what.
    2: a service is missing, or the truth cannot let them go; run it again when it can.
    """
    from app.erasure.person import ERASED
    from app.erasure.process import erase

    if not user_id.strip() or user_id == ERASED:
        raise typer.BadParameter("an id of a person is needed")
    settings = wiring.load_settings()
    logs.configure("ERROR", process="erase")
    console = Console(stderr=True, highlight=False, quiet=as_json)
    report = asyncio.run(
        erase(settings, user_id, by or getpass.getuser(), say=console.print, patience=patience)
    )
    known = report.attempts > 1 or bool(report.removed.get("truth"))
    if as_json:
        document = {
            "known": known,
            "removed": report.removed,
            "left": report.traces,
            "attempts": report.attempts,
        }
        typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        for step, count in report.removed.items():
            typer.echo(f"{step}: {count}")
        for store, count in report.traces.items():
            typer.echo(f"LEFT in {store}: {count}")
        if not known:
            console.print(
                "the truth had no such person: is the id right? every store has been searched all the same"
            )
        elif not report.traces:
            console.print("nothing is left of this person in any store")
    if report.traces:
        raise typer.Exit(1)
