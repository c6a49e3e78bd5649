"""Where objects are made: the only place that turns Settings into connections, stores, projections and routers.

Explicit functions, no container. The commands in `app/commands/` call these and run what they get.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import psycopg

from app.environment import load_settings
from consumers.embeddings.remake import remake as remake_embeddings
from outbox import capture
from producers import truth
from runtime import migrations, postgres
from runtime.settings import Profile, Settings
from schemas.archive import Archive

__all__ = ["load_settings", "migrate", "migration_folders"]

_ROOT = Path(__file__).resolve().parent.parent

#: One Alembic branch per area; an area without a folder simply has no migrations.
_MIGRATION_AREAS = (
    "outbox",
    "consumers/engine",
    "consumers/engine/rebuild",
    "consumers/engine/repair",
    "consumers/embeddings",
    "consumers/analytics",
    "consumers/live",
    "app",
    "app/erasure",
)

#: What the log of a small school may take of a database of 500 MB.
_ECONOMY_LOG_BYTES: Final = 64 << 20
_CAP: Final = "UPDATE outbox.settings SET value = %s WHERE name = 'retention_bytes' AND value = '0'"


def archive(settings: Settings) -> Archive | None:
    """Where retired days of facts go, if anywhere."""
    return Archive(settings.archive_url) if settings.archive_url else None


def migration_folders() -> list[Path]:
    """The folders that hold migrations, one per area."""
    return [folder for area in _MIGRATION_AREAS if (folder := _ROOT / area / "migrations").is_dir()]


def migrate(url: str, profile: Profile = Profile.DEFAULT) -> None:
    """Bring every schema of ours to its newest version. Idempotent; concurrent callers wait for each other.

    `economy` caps the log, unless somebody has chosen a cap already.

    On a database that has none of the upstream tables a development copy of them is made as well, and captured.
    Upstream's own tables wait for the operator's `stunity capture install`.
    """
    migrations.upgrade(url, migration_folders())
    truth.ensure(url)
    with psycopg.connect(url, prepare_threshold=None, connect_timeout=10) as conn:
        ours = truth.is_copy(conn)
        if profile is Profile.ECONOMY:
            conn.execute(_CAP, (str(_ECONOMY_LOG_BYTES),))
    asyncio.run(_complete(url, ours=ours))


async def _complete(url: str, *, ours: bool) -> None:
    async with postgres.connect(url, name="stunity-migrate") as conn:
        await remake_embeddings(conn)
        await conn.commit()
        if ours:
            await capture.install(conn)
