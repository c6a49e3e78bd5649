"""`stunity dlq`: events that a view would not take. They are applied again by the running consumer, never here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from app import wiring
from app.views import CONSUMERS
from consumers.engine import dead_letters
from runtime.postgres import Connection, connect

T = TypeVar("T")

_MOST_LISTED = 1000
#: A line each, for whoever reads them through a pipe. Characters.
_WIDE = 400


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Dead letters: list, look, try again, discard.", no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("retry")(retry)
    group.command("discard")(discard)
    app.add_typer(group, name="dlq")


def list_letters(
    consumer: Annotated[str | None, typer.Option(help="Only of this consumer.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also those that are done with.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Letters, newest first."""
    _check(consumer)
    letters = _with_connection(
        lambda conn: dead_letters.list_letters(conn, consumer, closed=closed, limit=_MOST_LISTED)
    )
    if as_json:
        typer.echo(orjson.dumps(letters, option=orjson.OPT_INDENT_2))
        return
    table = Table("id", "consumer", "state", "type", "key", "since", "reason", box=None, pad_edge=False)
    for one in letters:
        since = f"{one['created_at']:%Y-%m-%d %H:%M:%S}"
        reason = one["reason"].splitlines()[0] if one["reason"] else ""
        table.add_row(str(one["id"]), one["consumer"], one["state"], one["type"], one["key"], since, reason)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    console.print(table if letters else "no dead letters")


def show(letter_id: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """One letter with its event, as JSON."""
    letter = _with_connection(lambda conn: dead_letters.get_letter(conn, letter_id))
    if letter is None:
        raise _no_such(letter_id)
    typer.echo(orjson.dumps(letter, option=orjson.OPT_INDENT_2))


def retry(
    letter_ids: Annotated[list[int] | None, typer.Argument(metavar="ID…")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    consumer: Annotated[str | None, typer.Option(help="With --all: only of this consumer.")] = None,
) -> None:
    """Have the running consumer apply letters again, in order, with those of the same key before them."""
    if bool(letter_ids) == everything:
        raise typer.BadParameter("say which letters: ID… or --all")
    _check(consumer)
    ids = None if everything else letter_ids
    asked = _with_connection(lambda conn: dead_letters.ask_retry(conn, ids, consumer))
    if not asked and letter_ids:
        raise _no_such(letter_ids[0])
    typer.echo(f"{len(asked)} letters will be tried again by their consumer: stunity dlq list")


def discard(
    letter_id: Annotated[int, typer.Argument(metavar="ID")],
    why: Annotated[str, typer.Option(help="Kept with the letter.")],
) -> None:
    """Give a letter up; what waits behind it goes on."""
    if not why.strip():
        raise typer.BadParameter("say why: it is kept with the letter")
    if not _with_connection(lambda conn: dead_letters.discard(conn, letter_id, why.strip())):
        raise _no_such(letter_id)
    typer.echo(f"letter {letter_id} is discarded")


def _check(consumer: str | None) -> None:
    """A name that nobody has would read as good news: no letters. `analytics@3` is a rebuild's."""
    if consumer is not None and consumer.partition("@")[0] not in CONSUMERS:
        raise typer.BadParameter(f"no consumer {consumer!r}: there are {', '.join(CONSUMERS)}")


def _no_such(letter_id: int) -> typer.Exit:
    typer.echo(f"there is no open letter {letter_id}", err=True)
    return typer.Exit(1)


def _with_connection(work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> Any:
        async with connect(wiring.load_settings().database_url, name="stunity-dlq") as conn:
            return await work(conn)

    result: T = asyncio.run(run())
    return result
