"""`stunity verify`: is each view exactly what the truth says? Names what is not, and mends it on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from app import wiring
from runtime import logs

if TYPE_CHECKING:
    from app.verification import Result
    from consumers.engine.verification import Key
    from runtime.settings import Settings

_MOST_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    views: Annotated[
        list[str] | None,
        typer.Argument(metavar="VIEW…", help="search, embeddings, feeds, analytics; all when none is named."),
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Have the keys that differ mended.")] = False,
    per_second: Annotated[
        float | None, typer.Option(min=1, help="Compare at most so many rows per second and view.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, every key.")] = False,
) -> None:
    """Compare views with the truth, key by key, while both go on changing.

    Exit 0: equal. 1: differences (with --repair: those that were there and remain after it). 2: a service is missing.
    """
    settings = wiring.load_settings()
    logs.configure("ERROR", process="verify")
    names = list(dict.fromkeys(views or ()))
    results = asyncio.run(_verify(settings, names, repair, per_second))
    if as_json:
        typer.echo(orjson.dumps([one.summary() for one in results], option=orjson.OPT_INDENT_2))
    else:
        for one in results:
            _show(one)
    if any(one.verdict not in ("equal", "off") for one in results):
        raise typer.Exit(1)


async def _verify(
    settings: Settings, names: list[str], repair: bool, per_second: float | None
) -> list[Result]:
    """With `repair`, what is still wrong afterwards counts, and what was mended is told."""
    from dataclasses import replace

    from app.verification import verify as compare
    from consumers.engine.pace import Pace
    from runtime.postgres import open_pool

    async with open_pool(settings.database_url, max_size=6, name="stunity-verify") as pool:
        results = await compare(settings, pool, names, repair=repair, pace=Pace(per_second))
        mended = {one.view: one.repaired for one in results if one.repaired}
        if mended:
            again = await compare(settings, pool, list(mended), pace=Pace(per_second))
            latest = {one.view: replace(one, repaired=mended[one.view]) for one in again}
            results = [latest.get(one.view, one) for one in results]
    return results


def _show(result: Result) -> None:
    found = result.differences
    if result.off:
        typer.echo(f"{result.view}: off ({result.off})")
        return
    mended = f", {result.repaired} mended" if result.repaired else ""
    typer.echo(f"{result.view}: {result.verdict}, {found.compared:,} compared{mended}")
    for what, keys in (
        ("missing", found.missing),
        ("extra", found.extra),
        ("stale", found.stale),
        ("unsettled", found.unsettled),
    ):
        if keys:
            typer.echo(f"  {len(keys)} {what}: {_some(keys)}")


def _some(keys: Iterable[Key]) -> str:
    names = sorted(map(str, keys))
    more = f" and {len(names) - _MOST_SHOWN} more (--json shows all)" if len(names) > _MOST_SHOWN else ""
    return ", ".join(names[:_MOST_SHOWN]) + more
