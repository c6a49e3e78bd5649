"""`stunity demo`: start a stack of its own, seed a school network, play the scenario, print what became visible."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    keep: Annotated[
        bool, typer.Option(envvar="DEMO_KEEP", help="Leave the stack running and print its URLs.")
    ] = False,
    users: Annotated[int, typer.Option(min=30, help="People in the synthetic network.")] = 80,
    posts: Annotated[int, typer.Option(min=10, help="Posts in the synthetic network.")] = 200,
) -> None:
    """Watch posts travel from PostgreSQL to every view and come back through the API; exit 0 when all arrived."""
    console = Console(highlight=False)
    home = Path(os.environ.get("STUNITY_HOME") or tempfile.mkdtemp(prefix="stunity-demo-"))
    environment = {**os.environ, "STUNITY_HOME": str(home)}
    ok = False
    try:
        console.rule("[bold]Starting PostgreSQL, Valkey, Typesense and the pipeline")
        _stunity(environment, "up", "--detach")
        settings = json.loads(_stunity(environment, "env", "--json", capture=True))
        console.rule("[bold]A synthetic school network")
        _stunity(environment | settings, "seed", "--users", str(users), "--posts", str(posts))
        console.rule("[bold]The tour")
        from app.demo.tour import tour

        ok = asyncio.run(tour(console, settings))
    finally:
        if keep:
            console.print(f"Still running. API {settings['API_URL']}  console {settings['CONSOLE_URL']}")
            console.print(f"Stop it with: STUNITY_HOME={home} {sys.argv[0]} down")
        else:
            _stunity(environment, "down")
            if "STUNITY_HOME" not in os.environ and ok:
                shutil.rmtree(home, ignore_errors=True)
    raise typer.Exit(0 if ok else 1)


def _stunity(environment: dict[str, str], *arguments: str, capture: bool = False) -> str:
    command = [sys.executable, "-m", "app.cli", *arguments]
    result = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE if capture else None, text=True, check=False
    )
    if result.returncode:
        raise typer.Exit(result.returncode)
    return result.stdout or ""
