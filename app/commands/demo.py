"""`stunity demo`: start a stack of its own, seed a school network, play the scenario, print what became visible."""

from __future__ import annotations

import asyncio
import sys
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
    from app.demo.tour import tour
    from app.stack.own import own_stack

    console = Console(highlight=False)
    console.rule("[bold]Starting PostgreSQL, Valkey, Typesense and the pipeline")
    with own_stack(keep=keep) as stack:
        console.rule("[bold]A synthetic school network")
        stack.run("seed", "--users", str(users), "--posts", str(posts))
        console.rule("[bold]The tour")
        ok = asyncio.run(tour(console, stack.env))
        if keep:
            urls = f"API {stack.env['API_URL']}  console {stack.env['CONSOLE_URL']}"
            console.print(f"Still running. {urls}", soft_wrap=True)
            home = f"STUNITY_HOME={stack.home}"
            console.print("To use it, and to end it (its data stays in that folder until you delete it):")
            settings = 'source .venv/bin/activate; eval "$(stunity env)"'
            console.print(f"  export {home}; {settings}", soft_wrap=True)
            console.print(f"  {home} {sys.argv[0]} down", soft_wrap=True)
    raise typer.Exit(0 if ok else 1)
