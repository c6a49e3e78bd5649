"""`stunity replay`: events of the log into one view once more. Asked for here, done by the view's own process."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from app import replaying, wiring
from app.commands.jobs import follow
from consumers.engine.replay.request import DEFAULT_RATE
from runtime import logs

Consumer = Annotated[str, typer.Argument(metavar="CONSUMER", help="search, embeddings, feeds or analytics")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    consumer: Consumer,
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="T|ID|beginning", help="First event: its id, a time (UTC), 2h or 7d ago."
        ),
    ] = "beginning",
    end: Annotated[
        str, typer.Option("--to", metavar="T|ID|now", help="Last event: its id, or before this time.")
    ] = "now",
    key: Annotated[str | None, typer.Option(help="Only events of this key.")] = None,
    topics: Annotated[
        list[str] | None,
        typer.Option("--topic", help="Only this topic; repeatable. All that the view reads by default."),
    ] = None,
    rate: Annotated[float, typer.Option(min=1, help="Most events per second.")] = DEFAULT_RATE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be replayed.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return at once: stunity jobs list.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Apply events from the log to one view once more, beside its live events; the view ends as it was, or mended.

    The process that keeps the view does it (this one, when there is none), so it survives both: Ctrl-C only stops
    looking. stunity jobs pause|resume|cancel ID.
    """
    settings = wiring.load_settings()
    logs.configure("WARNING", process=f"replay {consumer}")
    wanted = replaying.Wanted(consumer, start, end, key, tuple(topics or ()), rate)
    if dry_run:
        _show(asyncio.run(replaying.count(settings, wanted)), as_json)
        return
    job, counted = asyncio.run(replaying.ask(settings, wanted))
    if detach:
        typer.echo(
            orjson.dumps({"job": job, **counted}) if as_json else f"job {job}: {counted['events']:,} events"
        )
        return
    done = follow(settings, job, as_json=as_json, work_here=True)
    if done.state != "done":
        raise typer.Exit(1)


def _show(counted: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(counted, option=orjson.OPT_INDENT_2))
        return
    table = Table("topic", "type", "table", "archive", box=None, pad_edge=False)
    for one in counted["byType"]:
        table.add_row(one["topic"], one["type"], f"{one['table']:,}", f"{one['archive']:,}")
    out = Console()
    if counted["byType"]:
        out.print(table)
    typer.echo(f"{counted['events']:,} events would be applied")
    if counted["missingDays"]:
        typer.echo(f"no longer in the log, and not archived: {', '.join(counted['missingDays'])}")
