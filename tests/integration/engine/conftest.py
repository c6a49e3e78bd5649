"""A consumer that runs inside the test, fed by a relay that the test drives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import psycopg
import pytest
import redis

from app.stack.postgres import Postgres
from consumers.engine.options import Options
from consumers.engine.projection import Projection
from consumers.engine.runner import Runner
from runtime.postgres import Pool, open_pool
from runtime.redis import Client, open_client
from schemas.archive import Archive
from tests.support.ledger import LedgerProjection
from tests.support.servers import Running, fresh_database
from tests.support.streams import StepRelay
from tests.support.wait import until

FAST = Options(
    block=0.1,
    log_poll=0.02,
    rejoin=0.02,
    upkeep=0.1,
    checkpoint=0.2,
    lease=2.0,
    backoff_first=0.01,
    backoff_most=0.05,
)

PERSON = """
INSERT INTO users (id, email, password, "firstName", "lastName", role, "updatedAt")
VALUES (%s, %s, 'x', 'Sok', 'Dara', 'STUDENT', now())
"""

Consume = Callable[..., AbstractAsyncContextManager[asyncio.Task[None]]]


_EMPTY = """
DELETE FROM users;
TRUNCATE outbox.events, outbox.fills, outbox.epochs, engine.leases, engine.checkpoints, engine.dead_letters,
         engine.jobs, outbox.retired_days, outbox.held_days, outbox.archives RESTART IDENTITY CASCADE;
DROP TABLE IF EXISTS ledger_latest, ledger_facts, ledger_checkpoint;
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
    """Connections to the test's database."""
    async with open_pool(database, max_size=8) as opened:
        yield opened


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    """The consumer's Redis client."""
    async with open_client(redis_url, timeout=2.0) as opened:
        yield opened


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """A plain client, for looking and for breaking."""
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def relay(connection: psycopg.Connection, raw: redis.Redis) -> StepRelay:
    """Publishes when the test says so."""
    return StepRelay(connection, raw)


@pytest.fixture
async def ledger(pool: Pool) -> LedgerProjection:
    """The view that is kept."""
    return LedgerProjection(pool)


@pytest.fixture
def consume(pool: Pool, client: Client) -> Consume:
    """Runs a projection until the block ends, then stops it cleanly and raises what it raised."""

    @asynccontextmanager
    async def run(
        projection: Projection,
        *,
        options: Options = FAST,
        client: Client | None = client,
        pool: Pool = pool,
        archive: Archive | None = None,
    ) -> AsyncIterator[asyncio.Task[None]]:
        stop = asyncio.Event()
        runner = Runner(projection, pool, client, options=options, archive=archive)
        task = asyncio.create_task(runner.run(stop))
        try:
            yield task
        finally:
            stop.set()
            if not task.done():
                done, _ = await asyncio.wait((task,), timeout=8)
                if not done:
                    for t in asyncio.all_tasks():
                        t.print_stack()
                async with asyncio.timeout(2):
                    await task
            elif not task.cancelled():
                task.result()

    return run


class Look:
    """What the database says of the view."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn

    def latest(self) -> dict[str, int]:
        """Newest event per key."""
        return dict(self._conn.execute("SELECT topic || '/' || key, event_id FROM ledger_latest").fetchall())

    def facts(self) -> list[int]:
        """Facts in the view."""
        return [
            row[0] for row in self._conn.execute("SELECT event_id FROM ledger_facts ORDER BY 1").fetchall()
        ]

    def has(self, *event_ids: int) -> Callable[[], bool]:
        """Whether these events are in the view; a later event of the key counts."""
        return lambda: set(event_ids) <= {*self.latest().values(), *self.facts()}

    def letters(self) -> list[tuple[str, str]]:
        """Key and state of all letters, oldest first."""
        return self._conn.execute("SELECT key, state FROM engine.dead_letters ORDER BY id").fetchall()

    def checkpoint(self) -> dict[str, Any]:
        """What the view's own store says."""
        row = self._conn.execute("SELECT checkpoint FROM ledger_checkpoint").fetchone()
        assert row is not None
        document: dict[str, Any] = json.loads(row[0])
        return document

    def live(self) -> bool:
        """Whether reads may use the view."""
        row = self._conn.execute("SELECT state FROM engine.checkpoints WHERE consumer = 'ledger'").fetchone()
        return row == ("live",)

    def on_streams(self) -> bool:
        """Whether the view follows the streams rather than the log."""
        row = self._conn.execute(
            "SELECT checkpoint FROM engine.checkpoints WHERE consumer = 'ledger'"
        ).fetchone()
        return row is not None and '"streams":{}' not in row[0]


@pytest.fixture
def look(connection: psycopg.Connection) -> Look:
    """Looks at the view from outside."""
    return Look(connection)


@pytest.fixture
async def following(
    consume: Consume, ledger: LedgerProjection, relay: StepRelay, look: Look
) -> AsyncIterator[LedgerProjection]:
    """A consumer that has joined the streams."""
    relay.mark("3:3:")
    async with consume(ledger):
        await until(lambda: look.live() and look.on_streams(), what="joined the streams")
        yield ledger
