"""`stunity schemas`: the event contracts as files, and the proof that they have not been broken."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.errors import ConfigurationError
from schemas import compatibility, export

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / "schemas" / "generated"


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Event contracts: JSON Schemas and AsyncAPI.")
    app.add_typer(group, name="schemas")
    group.command()(generate)
    group.command()(check)


def generate() -> None:
    """Write schemas/generated/. Refuses to break what is published there: that takes a new version of the type."""
    _fail(_breaking(_published_files()))
    _FOLDER.mkdir(exist_ok=True)
    wanted = export.files()
    for name, text in wanted.items():
        (_FOLDER / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(wanted)} files in {_FOLDER}")


def check(
    against: Annotated[
        str | None,
        typer.Option(help="A git revision whose schemas must not be broken; the files here by default."),
    ] = None,
) -> None:
    """Exit 1 when the models break a published schema, or when schemas/generated/ is stale."""
    published = _published_files()
    _fail(_breaking(_published_at(against) if against else published))
    wanted = export.files()
    stale = sorted(
        name for name in wanted.keys() | published.keys() if wanted.get(name) != published.get(name)
    )
    _fail([f"{name} is stale: run `stunity schemas generate`" for name in stale])
    typer.echo(f"{len(wanted)} files are current and break nothing")


def _breaking(published: dict[str, str]) -> list[str]:
    return compatibility.breaking_changes(_schemas(published), _schemas(export.files()))


def _schemas(files: dict[str, str]) -> dict[str, Any]:
    return {
        name.removesuffix(".json"): json.loads(text)
        for name, text in files.items()
        if name != export.ASYNCAPI_FILE
    }


def _published_files() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.json"))}


def _published_at(revision: str) -> dict[str, str]:
    listing = _git("ls-tree", "--name-only", revision, "schemas/generated/").split()
    return {Path(path).name: _git("show", f"{revision}:{path}") for path in listing if path.endswith(".json")}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _fail(problems: list[str]) -> None:
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
