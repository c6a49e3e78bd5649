"""`stunity rebuild` and `stunity rollback`: a view built anew beside the one that serves, and the way back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import wiring
from runtime import garbage, logs

if TYPE_CHECKING:
    from app.rebuilding import Show
    from consumers.engine.rebuild.process import Rebuilding
    from consumers.engine.rebuild.register import Rebuild

View = Annotated[str, typer.Argument(metavar="VIEW", help="search, embeddings, feeds or analytics")]

#: Without a terminal: a line at most so often. Seconds.
_LINE_EVERY = 5.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(rebuild)
    app.command()(rollback)


def rebuild(
    view: View,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="From the events that are still in the log.")
    ] = False,
    from_truth: Annotated[
        bool,
        typer.Option("--from-truth", help="From the rows of the truth, and the log after them (default)."),
    ] = False,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Keep the old view, in sync, for 7 days instead of 15 minutes.")
    ] = False,
) -> None:
    """Build a view anew beside the one that serves, check it, and let it serve from one moment to the next.

    A rebuild that was interrupted is taken up where it stopped. Exit 1 when a check failed: the view is what it was.
    """
    if from_log and from_truth:
        raise typer.BadParameter("--from-log or --from-truth, not both")
    from consumers.engine.rebuild.process import KEEP, KEEP_OLD

    row = _run(
        view,
        lambda rebuilding: rebuilding.rebuild("log" if from_log else "truth", KEEP_OLD if keep_old else KEEP),
    )
    assert row is not None
    until = (
        f"; the old one is kept in sync until {row.keep_until:%Y-%m-%d %H:%M %Z}" if row.keep_until else ""
    )
    typer.echo(f"{view} is rebuilt and serves (rebuild {row.id}){until}")


def rollback(view: View) -> None:
    """Let a view be again what it was before its last rebuild: at once, and up to date. Once more takes it back."""
    row = _run(view, lambda rebuilding: rebuilding.rollback())
    if row is None:
        typer.echo(f"nothing is kept of {view} to go back to", err=True)
        raise typer.Exit(1)
    typer.echo(f"{view} is what it was before rebuild {row.id}, up to date")


def _run(view: str, work: Callable[[Rebuilding], Awaitable[Rebuild | None]]) -> Rebuild | None:
    from app import rebuilding
    from consumers.engine.patience import Stopping
    from consumers.engine.rebuild.process import Busy, GaveUp, NoRoom
    from runtime.errors import ConfigurationError

    settings = wiring.load_settings()
    logs.configure("WARNING", process=f"rebuild {view}")
    garbage.settle()
    try:
        with _progress() as show:
            return asyncio.run(rebuilding.run(settings, view, work, show))
    except Stopping:
        typer.echo("interrupted; the next `stunity rebuild` goes on where it stopped", err=True)
        raise typer.Exit(130) from None
    except (Busy, NoRoom) as error:
        raise ConfigurationError(str(error)) from error
    except GaveUp as error:
        typer.echo(f"the rebuild was given up, {view} is what it was: {error}", err=True)
        raise typer.Exit(1) from error


@contextmanager
def _progress() -> Iterator[Show]:
    """A bar on a terminal, plain lines elsewhere; on standard error."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("beginning", total=None)
        yield lambda row: bar.update(task, description=row.step, completed=row.done, total=row.total or None)


class _Lines:
    """Says a step when it is new, and how far it is now and then, with the seconds left."""

    def __init__(self) -> None:
        self._step = ""
        self._said_at = 0.0
        self._first: tuple[float, int] | None = None

    def __call__(self, row: Rebuild) -> None:
        from consumers.engine.rebuild.register import eta

        now = monotonic()
        self._first = self._first or (now, row.done)
        step = row.step.partition(":")[0]
        if step == self._step and now - self._said_at < _LINE_EVERY:
            return
        self._step, self._said_at = step, now
        since, done = self._first
        left = eta(row.done - done, row.total - done, now - since)
        suffix = f", about {left} s left" if left and row.state == "filling" else ""
        typer.echo(f"{row.step}: {row.done:,} of {row.total:,} rows{suffix}", err=True)
