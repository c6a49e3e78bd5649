"""Views that are consumed, read and rebuilt at the same time, on real stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import psycopg
import pytest

from app import rebuilding, views
from app.rebuilding import verifier_of
from app.stack.postgres import Postgres
from consumers.engine.options import Options
from consumers.engine.passing import Passing
from consumers.engine.rebuild.kept import Keeper
from consumers.engine.rebuild.process import Rebuilding
from consumers.engine.rebuild.register import Rebuild, Register
from consumers.engine.rebuild.shadow import Shadows
from consumers.engine.rebuild.steps import OnStep, no_step
from consumers.engine.runner import Runner
from consumers.engine.verification import Differences
from runtime.postgres import Pool, open_pool
from runtime.redis import open_client
from runtime.settings import Settings
from tests.support.network import Network
from tests.support.servers import Running, fresh_database

QUICK = Options(
    block=0.1, log_poll=0.05, upkeep=0.1, checkpoint=0.3, lease=4.0, rejoin=0.1, backoff_first=0.02
)
_EMPTY = """
DELETE FROM courses; DELETE FROM study_clubs; DELETE FROM users; DELETE FROM schools;
TRUNCATE outbox.events, outbox.fills, outbox.epochs, engine.leases, engine.checkpoints, engine.dead_letters,
         engine.rebuilds CASCADE;
"""


@pytest.fixture(scope="module")
def shared_database(postgres_server: Running[Postgres], _template_database: str) -> Iterator[str]:
    """One database for the tests of a file: making one takes longer than most of them."""
    with fresh_database(postgres_server.server, _template_database) as url:
        yield url


@pytest.fixture
def database(shared_database: str) -> str:
    """The file's database with nothing in it."""
    with psycopg.connect(shared_database, autocommit=True) as conn:
        conn.execute(_EMPTY)
    return shared_database


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The truth."""
    async with open_pool(database, max_size=20) as opened:
        yield opened


@pytest.fixture
def network(connection: psycopg.Connection) -> Network:
    """A teacher, a few readers and three hundred posts."""
    made = Network(connection)
    made.school("north")
    made.user("teacher", "north", role="TEACHER")
    for key in ("anna", "borey", "sophea"):
        made.user(key, "north")
    numbers = count(1)
    with connection.transaction():
        for number in numbers:
            if number > 300:
                break
            made.post(
                "teacher", f"fern number{number}", "north", id=f"post{number:04}", title=f"Fern {number}"
            )
    return made


@dataclass
class World:
    """One view on this test's stores, and what can be done with it."""

    view: str
    settings: Settings
    pool: Pool
    stack: AsyncExitStack
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def shadows(self) -> Shadows:
        """The view's adapter, on clients of its own."""
        return await self.stack.enter_async_context(views.shadows(self.view, self.settings, self.pool))

    async def rebuilding(
        self, on_step: OnStep = no_step, *, shadows: Shadows | None = None, gate_seconds: float = 30.0
    ) -> Rebuilding:
        """What `stunity rebuild` runs."""
        client = await self.stack.enter_async_context(open_client(str(self.settings.redis_url)))
        return Rebuilding(
            shadows or await self.shadows(),
            Register(self.pool),
            client,
            QUICK,
            asyncio.Event(),
            verifier=await self.stack.enter_async_context(verifier_of(self.view, self.settings, self.pool)),
            on_step=on_step,
            gate_seconds=gate_seconds,
        )

    async def sweep(self, *, abandoned_after: float = 900.0) -> str:
        """What the scheduler does every minute."""
        return await rebuilding.sweep_with(self.settings, self.pool, QUICK, abandoned_after=abandoned_after)

    async def differences(self, shadow: Rebuild | None = None) -> Differences:
        """What `stunity verify` finds, in the view or in what stands under the shadow's name of a rebuild."""
        verifier = await self.stack.enter_async_context(verifier_of(self.view, self.settings, self.pool))
        assert verifier is not None
        if shadow is None:
            return await verifier.compare()
        target = await (await self.shadows()).target(shadow.id)
        return await verifier.compare(target, settle=Passing(self.pool, shadow.shadow))

    @asynccontextmanager
    async def consumed(self) -> AsyncIterator[None]:
        """What `stunity consume VIEW` runs."""
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(open_client(str(self.settings.redis_url)))
            projection = await stack.enter_async_context(
                views.projection(self.view, self.settings, self.pool)
            )
            shadows = await stack.enter_async_context(views.shadows(self.view, self.settings, self.pool))
            runner = Runner(projection, self.pool, client, options=QUICK)
            keeper = Keeper(shadows, Register(self.pool), client, QUICK, prefix=self.settings.stream_prefix)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(runner.run(stop))
                tasks.create_task(keeper.run(stop))
                try:
                    yield
                finally:
                    stop.set()


Open = Callable[[str], AbstractAsyncContextManager[World]]


@pytest.fixture
def world(settings: Settings, pool: Pool, network: Network) -> Open:
    """Opens the world of a view."""

    @asynccontextmanager
    async def open_world(view: str) -> AsyncIterator[World]:
        async with AsyncExitStack() as stack:
            yield World(view, settings, pool, stack)

    return open_world
