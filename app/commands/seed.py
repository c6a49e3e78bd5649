"""`stunity seed`: a synthetic school network, the same for the same seed, written through the producers' bulk form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app import wiring
from producers import truth
from producers.synthetic.load import Loaded, load
from producers.synthetic.load import Progress as Report
from producers.synthetic.network import Network
from producers.synthetic.size import Size, this_hour
from runtime.errors import ConfigurationError
from runtime.postgres import connect

_SHOWN_ROLES = ("SUPER_ADMIN", "PRINCIPAL", "TEACHER", "STUDENT", "PARENT")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(seed)


def seed(
    posts: Annotated[
        int, typer.Option(help="How many posts; the other sizes follow it unless given.")
    ] = 1_000,
    users: Annotated[
        int | None, typer.Option(help="How many people. A fifth of the posts by default.")
    ] = None,
    follows: Annotated[int | None, typer.Option(help="How many follows. Ten per person by default.")] = None,
    views: Annotated[int | None, typer.Option(help="How many views. Ten per post by default.")] = None,
    schools: Annotated[int, typer.Option(help="How many schools.")] = 3,
    number: Annotated[int, typer.Option("--seed", help="Another number, another network.")] = 1,
    as_of: Annotated[
        datetime | None, typer.Option(help="End of the network's 90 days, in UTC. This hour by default.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the upstream tables are not our development copy.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Write a made-up school network: schools, people, posts in Khmer and English, clubs, courses, activity.

    The same numbers give the same rows. Rows that are there already stay as they are, so it may be repeated.
    """
    people = max(60, posts // 5, 6 * schools) if users is None else users
    size = Size(
        users=people,
        posts=posts,
        follows=10 * people if follows is None else follows,
        views=10 * posts if views is None else views,
        schools=schools,
        seed=number,
        as_of=this_hour() if as_of is None else as_of.replace(tzinfo=None),
    )
    url = wiring.load_settings().database_url
    _check(url, force)
    network = Network(size)
    with _progress(as_json) as report:
        loaded = asyncio.run(_write(url, network, report))
    typer.echo(json.dumps(_summary(network, loaded)) if as_json else _sentence(loaded))


def _check(url: str, force: bool) -> None:
    try:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None, connect_timeout=10) as conn:
            present, ours = truth.upstream_present(conn), truth.is_copy(conn)
    except psycopg.OperationalError as error:
        raise ConfigurationError(f"PostgreSQL cannot be reached: {error}") from error
    if not present:
        raise ConfigurationError("there are no tables to write to: run `stunity migrate` first")
    if not ours and not force:
        raise ConfigurationError("these are upstream's own tables: --force writes made-up people into them")


async def _write(url: str, network: Network, report: Report) -> Loaded:
    async with connect(url, autocommit=True, name="stunity-seed") as conn:
        return await load(conn, network, report)


@contextmanager
def _progress(as_json: bool) -> Iterator[Report]:
    console = Console(stderr=as_json)
    if not console.is_terminal:
        yield _silent if as_json else _plain
        return
    columns = (TextColumn("{task.description:>18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield _bars(progress)


def _bars(progress: Progress) -> Report:
    tasks: dict[str, Any] = {}

    def report(table: str, handled: int, expected: int) -> None:
        if table not in tasks:
            tasks[table] = progress.add_task(table, total=expected)
        progress.update(tasks[table], completed=handled, total=max(handled, expected))

    return report


def _plain(table: str, handled: int, expected: int) -> None:
    if handled >= expected or handled % 20_000 == 0:
        typer.echo(f"{table}: {handled:,} of {expected:,}")


def _silent(_table: str, _handled: int, _expected: int) -> None:
    pass


def _sentence(loaded: Loaded) -> str:
    if not loaded.rows:
        return f"nothing to do: all {loaded.present:,} rows of this network are there already"
    there = f", {loaded.present:,} were there already" if loaded.present else ""
    speed = f"{loaded.seconds:.1f} s, {loaded.rows_per_second:,.0f} rows/s"
    return f"{loaded.rows:,} rows written in {speed}{there}"


def _summary(network: Network, loaded: Loaded) -> dict[str, Any]:
    size = network.size
    ids: Callable[[str], str] = network.user_id
    return {
        "seed": size.seed,
        "asOf": f"{size.as_of.isoformat()}Z",
        "rows": loaded.rows,
        "present": loaded.present,
        "seconds": round(loaded.seconds, 3),
        "rowsPerSecond": round(loaded.rows_per_second),
        "tables": loaded.written,
        "people": {role: ids(role) for role in _SHOWN_ROLES},
        "schools": [network.people.school_id(number) for number in range(size.schools)],
    }
