"""`stunity capture`: triggers on the upstream tables that write the outbox, put on, looked at and taken off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from app import wiring
from outbox import capture
from runtime.postgres import Connection, connect

T = TypeVar("T")


class PolicyName(StrEnum):
    """What happens to a write whose event cannot be written."""

    ABORT = "abort"
    WARN = "warn"


Tables = Annotated[
    str | None, typer.Option("--tables", help="Only these, separated by commas. All by default.")
]
Policy = Annotated[
    PolicyName | None,
    typer.Option(
        help="When an event cannot be written: `abort` fails the write too, `warn` notes the gap. Kept."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Triggers on the upstream tables that write the outbox.")
    app.add_typer(group, name="capture")
    for command in (install, status, remove):
        group.command()(command)


def install(tables: Tables = None, policy: Policy = None, as_json: AsJson = False) -> None:
    """Put the triggers on, or renew them. The school goes on writing; filled tables ask for a first fill.

    Exit 1 when a table was refused; the reason stands beside it.
    """

    async def work(conn: Connection) -> list[capture.Outcome]:
        if policy is not None:
            await capture.set_policy(conn, policy.value)
        return await capture.install(conn, _names(tables))

    _report(_run(work), as_json)


def remove(tables: Tables = None, as_json: AsJson = False) -> None:
    """Take the triggers off. Nothing is captured from then on; the next install asks for a fill."""
    _report(_run(lambda conn: capture.remove(conn, _names(tables))), as_json)


def status(as_json: AsJson = False) -> None:
    """What stands on which table. Exit 1 when a table that exists is not captured as it should be."""
    found = _run(capture.status)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        _show([(table.table, table.state, table.detail) for table in found.tables])
        typer.echo(f"policy: {found.policy}; writes without their event: {found.gaps}")
    if any(table.state not in ("installed", "absent") for table in found.tables):
        raise typer.Exit(1)


def _run(work: Callable[[Connection], Awaitable[T]]) -> T:
    async def on_connection() -> T:
        async with connect(wiring.load_settings().database_url, name="stunity-capture") as conn:
            return await work(conn)

    return asyncio.run(on_connection())


def _report(outcomes: list[capture.Outcome], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(outcome) for outcome in outcomes]))
    else:
        _show([(outcome.table, outcome.state, outcome.detail) for outcome in outcomes])
    if any(outcome.state is capture.State.REFUSED for outcome in outcomes):
        raise typer.Exit(1)


def _show(rows: list[tuple[str, str, str]]) -> None:
    table = Table("table", "state", "remarks", box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _names(tables: str | None) -> list[str] | None:
    return None if tables is None else [name.strip() for name in tables.split(",") if name.strip()]
