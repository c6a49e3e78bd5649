"""Every consumer, run by the engine on its real store: whatever is lost, the view ends as a fresh fill makes it (I10).

The relay here is `StepRelay`; what is lost in detail, and why the engine notices, is tests/integration/engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
import redis

from app import views
from app.stack.typesense import Typesense
from consumers.engine.checkpoint import Checkpoint
from consumers.engine.options import Options
from consumers.engine.positions import covers
from consumers.engine.runner import Runner
from runtime.postgres import open_pool
from runtime.redis import open_client
from runtime.settings import Settings
from schemas import wire
from schemas.snapshot import Snapshot
from schemas.topics import TOPICS
from tests.conformance.harness import Harness, Stores
from tests.conformance.scenario import History
from tests.conformance.test_projections import HARNESSES, fresh, from_the_truth
from tests.support.servers import Running
from tests.support.streams import StepRelay
from tests.support.wait import until

FAST = Options(
    block=0.1, log_poll=0.02, rejoin=0.02, upkeep=0.1, checkpoint=0.1, lease=5.0, backoff_first=0.01, backoff_most=0.1
)  # fmt: skip


class Bench:
    """One view that is kept by the engine while its history happens."""

    def __init__(self, harness: Harness, stores: Stores, conn: psycopg.Connection, raw: redis.Redis) -> None:
        self.harness = harness
        self.stores = stores
        self.redis = raw
        self.relay = StepRelay(conn, raw)
        self.relay.mark("3:3:")
        self._conn = conn
        self._steps = list(History(conn).steps())

    @asynccontextmanager
    async def running(self, *, redis_url: str | None = "") -> AsyncIterator[None]:
        """A process that keeps the view, with streams unless told otherwise."""
        settings, pool = self.stores.settings, self.stores.pool
        stop = asyncio.Event()
        async with (
            views.projection(self.harness.name, settings, pool) as projection,
            open_client(settings.redis_url or "", timeout=5.0) as client,
        ):
            runner = Runner(projection, pool, client if redis_url == "" else None, options=FAST)
            task = asyncio.create_task(runner.run(stop))
            try:
                yield
            finally:
                stop.set()
                async with asyncio.timeout(20):
                    await task

    def happen(self, count: int = 1, *, publish: bool = True) -> None:
        """The next steps of the history."""
        for step in self._steps[:count]:
            step()
        del self._steps[:count]
        if publish:
            self.relay.publish()

    async def caught_up(self, *, on_streams: bool = False) -> None:
        """Wait until the store itself says that it has everything that has happened so far."""
        row = self._conn.execute("SELECT pg_current_snapshot()::text").fetchone()
        assert row
        now = Snapshot.parse(row[0])
        self.relay.mark(str(now))

        async def says_so() -> bool:
            text = await self.harness.checkpoint(self.stores)
            found = Checkpoint.load(text) if text else None
            if found is None or not found.live or found.scan or (on_streams and not found.streams):
                return False
            return covers(found.snapshot, now)

        await until(says_so, 30, what=f"{self.harness.name} has caught up")

    async def equals_a_fresh_fill(self) -> None:
        """Compare with what the truth alone makes."""
        found = await self.harness.content(self.stores)
        async with fresh(self.harness, self.stores, 10**15) as owner:
            await from_the_truth(owner, self.stores)
            assert found == await self.harness.content(self.stores)
        assert any(found.values())
        letters = self._conn.execute("SELECT key, reason FROM engine.dead_letters").fetchall()
        assert letters == []

    def flush(self) -> None:
        """Redis is empty, and the relay begins anew."""
        self.redis.flushall()
        self.relay.forget()

    def lose_entries(self) -> None:
        """A hole: some entries never arrive."""
        self.relay.publish(lose=["post0", "anna", "dara", "chess"])

    def report_a_gap(self) -> None:
        """Entries are gone, and the relay says so."""
        self.relay.publish(lose=["post0", "post1", "anna"], marker=False)
        for topic in TOPICS:
            self.relay.add(topic, wire.Gap())

    def roll_back(self) -> None:
        """The streams stand where they stood a round ago; the relay can't send that again, and says so."""
        keys = [self.relay.key(topic) for topic in TOPICS]
        kept = {key: (self.redis.dump(key), self.relay.number_of(key)) for key in keys}
        self.relay.publish()
        for key, (dump, number) in kept.items():
            if dump is not None:
                self.redis.restore(key, 0, dump, replace=True)
                self.relay.set_number(key, number)
        for topic in TOPICS:
            self.relay.add(topic, wire.Gap())

    def forget_the_log(self) -> None:
        """What was written so far is no longer in the log."""
        self._conn.execute("TRUNCATE outbox.events")

    def retire_the_log(self) -> None:
        """The same by retention, which notes how far it went."""
        self._conn.execute(
            """INSERT INTO outbox.retired_days (day, max_id, max_xid)
               SELECT (now() AT TIME ZONE 'UTC')::date, max(id), max(xid) FROM outbox.events"""
        )
        self.forget_the_log()

    def ask_for_a_fill(self) -> None:
        """Capture is on again: what happened meanwhile, the log does not know."""
        self.forget_the_log()
        self._conn.execute("INSERT INTO outbox.fills (reason) VALUES ('test')")

    def take_back_unheard(self) -> None:
        """Capture was off for a moment only: the log knows of facts, and not that they were taken back."""
        with self._conn.transaction():
            self._conn.execute("DELETE FROM likes")
            self._conn.execute("DELETE FROM post_views")
            self._conn.execute("DELETE FROM outbox.events WHERE xid = pg_current_xact_id()")
            self._conn.execute("INSERT INTO outbox.fills (reason) VALUES ('test')")

    def trim(self) -> None:
        """Nothing but the newest entry is left of any stream."""
        self.relay.publish()
        for topic in TOPICS:
            self.redis.xtrim(self.relay.key(topic), maxlen=1, approximate=False)


@pytest.fixture(params=HARNESSES, ids=lambda harness: harness.name)
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each view in turn."""
    made: Harness = request.param
    return made


@pytest.fixture
async def bench(
    harness: Harness,
    settings: Settings,
    typesense_server: Running[Typesense],
    connection: psycopg.Connection,
    redis_url: str,
) -> AsyncIterator[Bench]:
    """Empty stores, and a history that has not begun."""
    async with open_pool(settings.database_url, max_size=8) as pool:
        with redis.Redis.from_url(redis_url) as raw:
            stores = Stores(settings, pool, typesense_server)
            await harness.wipe(stores)
            yield Bench(harness, stores, connection, raw)


LOSSES: tuple[Callable[[Bench], None], ...] = (
    Bench.flush,
    Bench.lose_entries,
    Bench.report_a_gap,
    Bench.roll_back,
    Bench.trim,
)


async def test_whatever_redis_forgets(bench: Bench) -> None:
    async with bench.running():
        for lose in LOSSES:
            await bench.caught_up(on_streams=True)
            bench.happen(publish=False)
            lose(bench)
            bench.relay.publish()
        await bench.caught_up()
    await bench.equals_a_fresh_fill()


async def test_no_redis_at_all(bench: Bench) -> None:
    if bench.harness.name == "feeds":
        return  # its view is in Redis
    async with bench.running(redis_url=None):
        await bench.caught_up()
        for _ in range(5):
            bench.happen(publish=False)
            await bench.caught_up()
    await bench.equals_a_fresh_fill()


async def test_off_while_everything_happened(bench: Bench) -> None:
    bench.happen()
    async with bench.running():
        await bench.caught_up(on_streams=True)
    bench.happen(4)
    bench.trim()
    async with bench.running():
        await bench.caught_up()
    await bench.equals_a_fresh_fill()


async def test_added_today(bench: Bench) -> None:
    """The log of the first days has been retired, the streams have been trimmed: the truth has it all."""
    bench.happen(4)
    bench.trim()
    bench.forget_the_log()
    async with bench.running():
        bench.happen()
        await bench.caught_up()
    await bench.equals_a_fresh_fill()


@pytest.mark.parametrize(
    "lose", [Bench.retire_the_log, Bench.ask_for_a_fill, Bench.take_back_unheard, Bench.forget_the_log]
)
async def test_what_nobody_tells_of_any_more(bench: Bench, lose: Callable[[Bench], None]) -> None:
    """Things have gone, and so have the events that said so. What a fill does not find must not stay in the view."""
    async with bench.running():
        bench.happen(4)
        await bench.caught_up()
    bench.happen(publish=False)
    lose(bench)
    if lose is Bench.forget_the_log:
        await bench.harness.lose_checkpoint(bench.stores)
    async with bench.running():
        await bench.caught_up()
    await bench.equals_a_fresh_fill()


async def test_wiped_under_the_running_consumer(bench: Bench) -> None:
    async with bench.running():
        bench.happen(4)
        await bench.caught_up()
        await bench.harness.wipe(bench.stores)
        await bench.caught_up()
        bench.happen()
        await bench.caught_up()
    await bench.equals_a_fresh_fill()


async def test_put_back_to_yesterday_under_the_running_consumer(bench: Bench) -> None:
    async with bench.running():
        bench.happen(3)
        await bench.caught_up()
        yesterday = await bench.harness.back_up(bench.stores)
        bench.happen()
        await bench.caught_up()
        await bench.harness.put_back(bench.stores, yesterday)
        bench.happen()  # the very next thing that the consumer sees is an event, not its own look at the store
        await bench.caught_up()
    await bench.equals_a_fresh_fill()


async def test_put_back_to_yesterday_while_the_consumer_is_off(bench: Bench) -> None:
    async with bench.running():
        bench.happen(3)
        await bench.caught_up()
    yesterday = await bench.harness.back_up(bench.stores)
    async with bench.running():
        bench.happen()
        await bench.caught_up()
    await bench.harness.put_back(bench.stores, yesterday)
    bench.happen()
    async with bench.running():
        await bench.caught_up()
    await bench.equals_a_fresh_fill()
