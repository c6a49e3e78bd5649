"""`stunity up | down | status | env`: the embedded stack and all our processes under one supervisor."""

from __future__ import annotations

import json
import signal
import time
from typing import Annotated

import typer
from rich.console import Console

from app.stack import control, report, state
from app.stack.plan import Options, StackSettings
from app.stack.supervisor import Supervisor
from runtime import logs

_OUT = Console()

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready; it runs on.")]
Typesense = Annotated[bool, typer.Option("--typesense/--no-typesense", help="Run the embedded Typesense.")]
Valkey = Annotated[bool, typer.Option("--valkey/--no-valkey", help="Run the embedded Valkey.")]
Processes = Annotated[
    bool, typer.Option("--processes/--no-processes", help="Run relay, consumers, worker, API too.")
]
Timeout = Annotated[
    float, typer.Option(min=1, help="With --detach: seconds to wait until everything is ready.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(env)


def up(
    detach: Detach = False,
    typesense: Typesense = True,
    valkey: Valkey = True,
    processes: Processes = True,
    timeout: Timeout = 180.0,
) -> None:
    """Start PostgreSQL, Valkey, Typesense, relay, consumers, worker, scheduler and API, and keep them running.

    Servers that DATABASE_URL, REDIS_URL or TYPESENSE_* name in the environment are used instead of embedded ones.
    """
    settings = StackSettings()
    found = state.read(settings.home)
    options = Options(typesense, valkey, processes)
    if found and found.running():
        _OUT.print(f"already running in {settings.home.path}")
        control.wait_ready(settings.home, report.Progress(_OUT), time.monotonic() + timeout)
        report.addresses(_OUT, found)
    elif detach:
        control.start_detached(settings.home, _flags(options), report.Progress(_OUT), timeout)
        report.addresses(_OUT, control.running(settings.home))
    else:
        _supervise(settings, options)


def _flags(options: Options) -> list[str]:
    flags = {
        "--no-typesense": options.typesense,
        "--no-valkey": options.valkey,
        "--no-processes": options.processes,
    }
    return [flag for flag, wanted in flags.items() if not wanted]


def _supervise(settings: StackSettings, options: Options) -> None:
    """Be the supervisor: in the foreground until Ctrl-C."""
    logs.configure(process="supervisor")
    progress = report.Progress(_OUT)
    said = False

    def observe(found: state.StackState) -> None:
        nonlocal said
        progress(found)
        if found.phase == "ready" and not said:
            said = True
            report.addresses(_OUT, found)

    supervisor = Supervisor(settings.home, settings, options, observe)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run()


def down() -> None:
    """Stop everything that runs in this home, even when its supervisor was killed."""
    home = StackSettings().home
    _OUT.print("stopped" if control.stop(home) else f"nothing was running in {home.path}")


def status(as_json: AsJson = False) -> None:
    """Each part with pid, port, uptime, memory, restarts and lag; exit 1 unless everything is ready."""
    settings = StackSettings()
    found = state.read(settings.home)
    lives = found is not None and found.running()
    document = report.document(found, control.readiness(found) if found and lives else None)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    elif found is None:
        _OUT.print(f"nothing has been started in {settings.home.path}: run `stunity up`")
    else:
        _OUT.print(report.table(document))
        readiness = document["readiness"]
        for line in (
            *report.letters(readiness),
            *report.verifications(readiness),
            *report.upkeep(readiness),
            *report.rebuilds(readiness),
            *report.remarks(found),
        ):
            _OUT.print(line, markup=False, highlight=False, soft_wrap=True)
    if not document["ready"]:
        raise typer.Exit(1)


def env(as_json: AsJson = False) -> None:
    """The connection settings of the running stack: `eval "$(stunity env)"`."""
    environment = control.running(StackSettings().home).environment
    typer.echo(json.dumps(environment, indent=2) if as_json else report.exports(environment))
