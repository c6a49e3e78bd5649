"""`stunity migrate`: all schemas to their newest version."""

from __future__ import annotations

import typer

from app import wiring


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def migrate() -> None:
        """Create or update every schema of ours. Idempotent; safe to run from several places at once."""
        settings = wiring.load_settings()
        wiring.migrate(settings.database_url, settings.stunity_profile)
        typer.echo("schemas are up to date")
