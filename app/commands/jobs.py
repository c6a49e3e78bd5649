"""`stunity jobs`: long work on views (replays): how far it is, pause, resume, cancel."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from time import monotonic
from typing import Annotated, TypeVar

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app import wiring
from consumers.engine import jobs
from consumers.engine.jobs import Job
from runtime.postgres import Connection, connect
from runtime.settings import Settings

T = TypeVar("T")

JobId = Annotated[int, typer.Argument(metavar="ID")]

_LOOK = 0.5
#: Without a terminal: a line at most so often. Seconds.
_LINE_EVERY = 5.0


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Replays: list, look, pause, resume, cancel.", no_args_is_help=True)
    group.command("list")(list_jobs)
    group.command("show")(show)
    group.command("watch")(watch)
    group.command("pause")(pause)
    group.command("resume")(resume)
    group.command("cancel")(cancel)
    app.add_typer(group, name="jobs")


def list_jobs(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Jobs, newest first."""
    found = _with_connection(lambda conn: jobs.listed(conn, closed=everything))
    if as_json:
        typer.echo(orjson.dumps([asdict(job) for job in found], option=orjson.OPT_INDENT_2))
        return
    table = Table("id", "kind", "consumer", "state", "done", "left", "note", box=None, pad_edge=False)
    for job in found:
        done = f"{job.done:,} of {job.total:,}"
        table.add_row(str(job.id), job.kind, job.consumer, job.state, done, _left(job), job.note or "")
    Console().print(table if found else "no jobs")


def show(job_id: JobId) -> None:
    """One job, as JSON."""
    job = _with_connection(lambda conn: jobs.get(conn, job_id))
    if job is None:
        raise _refuse(f"there is no job {job_id}")
    typer.echo(orjson.dumps(asdict(job), option=orjson.OPT_INDENT_2))


def watch(job_id: JobId) -> None:
    """Show the progress of a job until it is over; exit 1 unless it ends well."""
    if follow(wiring.load_settings(), job_id).state != "done":
        raise typer.Exit(1)


def pause(job_id: JobId) -> None:
    """Let it rest after the slice in hand."""
    _wish(job_id, "pause", "is paused; stunity jobs resume goes on where it stopped")


def resume(job_id: JobId) -> None:
    """Go on where it stopped."""
    _wish(job_id, "resume", "goes on")


def cancel(job_id: JobId) -> None:
    """End it; what has been applied stays."""
    _wish(job_id, "cancel", "is cancelled")


def follow(settings: Settings, job_id: int, *, as_json: bool = False, work_here: bool = False) -> Job:
    """Show progress until the job is over or paused; with `work_here`, do it when no other process would."""
    try:
        job = asyncio.run(_follow(settings, job_id, work_here))
    except KeyboardInterrupt:
        typer.echo(f"job {job_id} goes on without this terminal: stunity jobs watch {job_id}", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(orjson.dumps(asdict(job), option=orjson.OPT_INDENT_2))
    else:
        note = f" ({job.note})" if job.note else ""
        typer.echo(f"job {job_id}: {job.state}, {job.applied:,} events applied in {job.worked:.1f} s{note}")
    return job


async def _follow(settings: Settings, job_id: int, work_here: bool) -> Job:
    over = asyncio.Event()
    async with connect(settings.database_url, autocommit=True, name="stunity-jobs") as conn:
        job = await jobs.get(conn, job_id)
        if job is None:
            raise _refuse(f"there is no job {job_id}")
        working = asyncio.create_task(_work(settings, job.consumer, over, here=work_here))
        try:
            with _shown() as tell:
                while not job.over and job.state != "paused":
                    tell(job)
                    await asyncio.wait((working,), timeout=_LOOK)
                    if working.done():
                        working.result()
                    job = await jobs.get(conn, job_id) or job
        finally:
            over.set()
            await asyncio.gather(working, return_exceptions=True)
    return job


async def _work(settings: Settings, consumer: str, over: asyncio.Event, *, here: bool) -> None:
    """Do the work when nobody else does, or wait; ends when it is over."""
    from app import replaying

    if here:
        await replaying.work_if_nobody_does(settings, consumer, over)
    await over.wait()


class _Lines:
    """Plain lines, now and then."""

    def __init__(self) -> None:
        self._said_at = -_LINE_EVERY

    def __enter__(self) -> Callable[[Job], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        pass

    def _tell(self, job: Job) -> None:
        if monotonic() - self._said_at >= _LINE_EVERY:
            self._said_at = monotonic()
            typer.echo(f"{job.state}: {job.done:,} of {job.total:,} events{_left(job)}", err=True)


class _Bar(_Lines):
    """A bar that moves."""

    def __enter__(self) -> Callable[[Job], None]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("queued", total=None)
        self._bar.start()
        return self._move

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _move(self, job: Job) -> None:
        self._bar.update(self._task, description=job.state, completed=job.done, total=job.total or None)


def _shown() -> _Lines:
    return _Bar() if sys.stderr.isatty() else _Lines()


def _left(job: Job) -> str:
    return f", about {job.eta:,.0f} s left" if job.eta is not None else ""


def _wish(job_id: int, what: jobs.Wish, outcome: str) -> None:
    if not _with_connection(lambda conn: jobs.wish(conn, job_id, what)):
        raise _refuse(f"job {job_id} can't be told to {what}: stunity jobs list --all")
    typer.echo(f"job {job_id} {outcome}")


def _refuse(why: str) -> typer.Exit:
    typer.echo(why, err=True)
    return typer.Exit(1)


def _with_connection(work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connect(wiring.load_settings().database_url, name="stunity-jobs") as conn:
            return await work(conn)

    return asyncio.run(run())
