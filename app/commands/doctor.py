"""`stunity doctor`: what is missing or set wrong, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from app.doctor import keys, machine, postgres, redis, typesense
from app.doctor.finding import Finding, Verdict, exit_code
from app.environment import load_settings
from app.stack.plan import StackSettings
from runtime.settings import Settings

_MARKS = {Verdict.OK: "[green]ok  [/]", Verdict.WARN: "[yellow]warn[/]"}
_FAILED = "[red]fail[/]"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Check versions, extensions, privileges, slots, durability and keys; say the mend for each.

    Exit code 0: nothing failed; 1: something did; 2: a service that is configured does not answer.
    """
    findings = examine(load_settings())
    if as_json:
        document = {"exit": exit_code(findings), "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(document, indent=2))
    else:
        _print(findings)
    raise typer.Exit(exit_code(findings))


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which they are worth reading."""
    findings = [
        *machine.check(StackSettings().home),
        *keys.check(settings),
        *postgres.check(settings.database_url, settings.replication_url),
        postgres.timescale(settings.analytics_url),
    ]
    if settings.redis_url:
        findings += redis.check(settings.redis_url, settings.relay_confirm_lag_seconds)
    if settings.typesense_enabled:
        findings += typesense.check(settings)
    return findings


def _print(findings: list[Finding]) -> None:
    out = Console(highlight=False)
    for finding in findings:
        out.print(f"{_MARKS.get(finding.verdict, _FAILED)} {finding.name:<18}", end=" ")
        out.print(finding.detail, markup=False, soft_wrap=True)
        if finding.mend:
            out.print(f"{'':24}→ {finding.mend}", markup=False, soft_wrap=True)
