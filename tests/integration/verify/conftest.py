"""Views that are kept in sync inside the test, from the log alone, and their verifiers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg
import pytest

from app import verification, views
from consumers.engine.options import Options
from consumers.engine.pace import Pace
from consumers.engine.runner import Runner
from consumers.engine.verification import Differences, Verifier
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from tests.support.network import Network

FAST = Options(log_poll=0.02, upkeep=0.05, checkpoint=0.2, lease=2.0, backoff_first=0.01, backoff_most=0.05)

Consuming = Callable[..., AbstractAsyncContextManager[None]]
Verifying = Callable[[str], AbstractAsyncContextManager[Verifier]]


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """The truth."""
    async with open_pool(settings.database_url, max_size=12) as opened:
        yield opened


@pytest.fixture
def network(connection: psycopg.Connection) -> Network:
    """Two schools with a few people."""
    made = Network(connection)
    made.school("north")
    made.school("south")
    made.user(
        "teacher",
        "north",
        role="TEACHER",
        firstName="ចិន្តា",
        lastName="សុខ",
        englishFirstName="Chenda",
        headline="Teaches [mathematics](https://example.org/x)",
        interests=["Maths", "chess-club"],
    )
    for key in ("anna", "borey"):
        made.user(key, "north")
    made.user("sophea", "south")
    made.user("guest", None)
    return made


@pytest.fixture
def consuming(settings: Settings, pool: Pool) -> Consuming:
    """Keeps views in sync until the block ends; what a consumer raises is raised."""

    @asynccontextmanager
    async def run(*names: str) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(_follow(name, stop))
            try:
                yield
            finally:
                stop.set()

    async def _follow(name: str, stop: asyncio.Event) -> None:
        async with views.projection(name, settings, pool) as projection:
            await Runner(projection, pool, None, prefix=settings.stream_prefix, options=FAST).run(stop)

    return run


@pytest.fixture
def verifying(settings: Settings, pool: Pool) -> Verifying:
    """The verifier of a view, as the command builds it."""
    return lambda name: verification.verifier(name, settings, pool, Pace())


def named(differences: Differences) -> dict[str, set[str]]:
    """What differs, as texts; nothing when all is equal."""
    kinds = {
        "missing": differences.missing,
        "extra": differences.extra,
        "stale": differences.stale,
        "unsettled": differences.unsettled,
    }
    return {kind: {str(key) for key in keys} for kind, keys in kinds.items() if keys}
