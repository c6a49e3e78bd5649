"""`stunity token`: a development JWT for a user, with the claims that upstream's auth service would give."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from app import wiring
from runtime import auth
from runtime.errors import ConfigurationError
from runtime.postgres import connect, fetch_dicts

_USER_SQL = """
SELECT id AS "user", role::text, "schoolId" AS school_id, "schoolAccessVersion" AS version
  FROM users WHERE id = %(user)s
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(token)


def token(
    user: Annotated[str, typer.Option("--user", help="Id of the user (column users.id).")],
    ttl: Annotated[int, typer.Option(min=1, max=30 * 86_400, help="Seconds until it expires.")] = 3_600,
) -> None:
    """Print an access token for development; real ones come from upstream's auth service."""
    settings = wiring.load_settings()
    if settings.jwt_secret is None:
        raise ConfigurationError("JWT_SECRET is not set: nothing can be signed")
    claims = asyncio.run(_claims(settings.database_url, user))
    typer.echo(auth.issue(settings.jwt_secret.get_secret_value(), ttl=ttl, **claims))


async def _claims(url: str, user: str) -> dict[str, Any]:
    async with connect(url, name="stunity-token") as conn:
        rows = await fetch_dicts(conn, _USER_SQL, {"user": user})
    if not rows:
        raise ConfigurationError(f"there is no user {user!r}")
    return rows[0]
