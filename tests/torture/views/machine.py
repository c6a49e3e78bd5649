"""The steps of a plan, on stores, consumers and a relay in one process; at quiet points every view equals the truth.

What takes long (rebuilds, replays) goes on while the next steps happen: `beside.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, LiteralString

import psycopg
import redis

from consumers.engine.repair.requests import Request, ask
from consumers.search import schema as index
from runtime.postgres import Pool, open_pool
from runtime.redis import open_client
from runtime.settings import Settings
from tests.support.servers import TypesenseSettings, empty_typesense
from tests.support.streams import StepRelay
from tests.support.wait import ended
from tests.torture.views.beside import Beside
from tests.torture.views.plan import Plan
from tests.torture.views.quiet import PATIENCE, Diverged, Quiet, count
from tests.torture.views.unruly import Kept
from tests.torture.views.world import World

VIEWS: Final = ("search", "embeddings", "feeds", "analytics")
#: Vectors would take a worker and a model.
_REBUILT: Final = ("search", "feeds", "analytics")
_REPLAYED: Final = """
SELECT topic, type, key, data FROM outbox.events WHERE topic = ANY (%s) ORDER BY random() LIMIT 30
"""
_HALF: Final = "SELECT id FROM posts WHERE random() < 0.5 UNION ALL SELECT id FROM users WHERE random() < 0.5"
_RETIRE: Final = """
WITH gone AS (DELETE FROM outbox.events RETURNING id, xid),
     last AS (SELECT max(id) AS id, max(xid) AS xid FROM gone)
INSERT INTO outbox.retired_days AS r (day, max_id, max_xid)
SELECT (now() AT TIME ZONE 'UTC')::date, last.id, last.xid FROM last WHERE last.id IS NOT NULL
    ON CONFLICT (day) DO UPDATE SET max_id = excluded.max_id, max_xid = greatest(r.max_xid, excluded.max_xid)
"""


class Machine:
    """Stores, consumers and a relay in one process, to which the steps happen."""

    def __init__(
        self, plan: Plan, settings: Settings, typesense: TypesenseSettings, pool: Pool, done: list[str]
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._typesense = typesense
        self._pool = pool
        self._done = done
        self._dice = random.Random(plan.seed)
        self._damaged = False

    async def run(self) -> None:
        """All steps; a quiet point now and then, and at the end.

        Raises:
            Diverged: at a quiet point a view differs from the truth.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            for place, number in enumerate(self._plan.steps):
                self._dice = random.Random(self._plan.seed * 1_000_003 + number)
                self._world._dice = self._dice
                await self._step()
                if place % 20 == 19:
                    await self._quiet()
            await self._quiet()

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        assert settings.redis_url
        self._conn = stack.enter_context(psycopg.connect(settings.database_url, autocommit=True))
        self._breaking = stack.enter_context(psycopg.connect(settings.database_url, autocommit=True))
        self._raw = stack.enter_context(redis.Redis.from_url(settings.redis_url))
        client = await stack.enter_async_context(open_client(settings.redis_url, timeout=2.0))
        self._relay = StepRelay(self._conn, self._raw)
        self._relaying = asyncio.Event()
        self._relaying.set()
        await stack.enter_async_context(self._publishing())
        await count(self._pool)
        self._world = World(self._conn, self._dice)
        self._fields = index._FIELDS["posts"]
        stack.callback(lambda: index._FIELDS.__setitem__("posts", self._fields))
        self._kept = {name: Kept(name, settings, self._pool, client, self._dice) for name in VIEWS}
        for kept in self._kept.values():
            stack.push_async_callback(kept.kill)
            kept.start()
        self._beside = Beside(settings, self._pool)
        stack.push_async_callback(self._beside.kill)
        self._stillness = Quiet(settings, self._pool, self._conn, self._kept, self._beside)

    @asynccontextmanager
    async def _publishing(self) -> AsyncIterator[None]:
        """The relay, in the background, while it is not told to stand still."""

        async def publish() -> None:
            while True:
                await self._relaying.wait()
                self._relay.publish(marker=True)
                await asyncio.sleep(0.03)

        task = asyncio.create_task(publish())
        try:
            yield
        finally:
            await ended(task)

    async def _step(self) -> None:
        steps: list[Callable[[], Awaitable[None]]] = [
            *[self._write] * 8, self._kill, self._restart, self._pause, self._overtake, self._cut, self._flush,
            self._lose_entries, self._gap, self._new_epoch, self._relay_stands, self._wipe_search, self._wipe_series,
            self._wipe_vectors, self._ask_for_a_fill, self._replay, self._replay_the_log, self._retire_the_log,
            self._capture_is_off, self._bump_schema, self._damage, self._poison,
            *([self._rebuild] * 3 if self._plan.rebuilds else []),
        ]  # fmt: skip
        step = self._dice.choice(steps)
        self._done.append(step.__name__.strip("_"))
        await step()
        await asyncio.sleep(self._dice.choice([0, 0, 0.02, 0.1]))  # not waiting for anything: letting it race

    def _victim(self) -> Kept:
        return self._kept[self._dice.choice(VIEWS)]

    async def _write(self) -> None:
        self._world.act(self._dice.randint(1, 25))

    async def _kill(self) -> None:
        victim = self._victim()
        await victim.kill()
        await self._write()
        victim.start()

    async def _restart(self) -> None:
        victim = self._victim()
        await victim.stop()
        victim.start()

    async def _pause(self) -> None:
        sleeps = self._victim().freeze(self._dice.randint(0, 6))
        await self._write()
        await asyncio.sleep(0.2)
        for sleep in sleeps:
            sleep.thaw()

    async def _overtake(self) -> None:
        """A process freezes somewhere, another one takes over and works; then the former goes on where it stood."""
        victim = self._victim()
        sleeps = victim.freeze(self._dice.randint(0, 6))
        await self._write()
        await asyncio.sleep(0.1)
        await self._break(
            "UPDATE engine.leases SET expires_at = '-infinity' WHERE consumer = %s", victim.name
        )
        victim.start()
        await self._write()
        await asyncio.sleep(self._dice.choice([0, 0.2, 0.5]))
        for sleep in sleeps:
            sleep.thaw()
        await self._write()

    async def _cut(self) -> None:
        self._victim().line.cuts = self._dice.randint(1, 4)
        await self._write()

    async def _poison(self) -> None:
        """Until the next quiet point a view will not take one kind of event; what is said later of the key it would."""
        victim = self._victim()
        facts = ("like.created", "post.created", "comment.created")
        states = ("post.created", "post.updated", "user.updated")
        victim.line.poison.add(self._dice.choice(facts if victim.name == "analytics" else states))
        await self._write()

    async def _flush(self) -> None:
        self._raw.flushall()
        self._relay.forget()

    async def _lose_entries(self) -> None:
        await self._write()
        self._relay.publish(lose=[row[0] for row in self._conn.execute(_HALF)])

    async def _gap(self) -> None:
        from schemas import wire

        self._relay.add("post", wire.Gap())

    async def _new_epoch(self) -> None:
        self._relay.publish()
        self._relay.end_epoch()

    async def _relay_stands(self) -> None:
        self._relaying.clear()
        await self._write()
        await asyncio.sleep(0.1)
        self._relaying.set()

    async def _wipe_search(self) -> None:
        await asyncio.to_thread(empty_typesense, self._typesense)

    async def _wipe_series(self) -> None:
        how = self._dice.choice(
            ("DROP SCHEMA IF EXISTS analytics CASCADE", "TRUNCATE analytics.post_views_ts")
        )
        with suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):  # it is gone already
            await self._break(how)

    async def _wipe_vectors(self) -> None:
        await self._break("SELECT embeddings.forget()")

    async def _ask_for_a_fill(self) -> None:
        """As `capture install` does: every view is filled."""
        self._conn.execute("INSERT INTO outbox.fills (reason) VALUES ('torture')")

    async def _replay(self) -> None:
        """Old events once more, in no order that ever was."""
        victim = self._victim()
        topics = {"search": ["post", "user", "club", "course"], "analytics": ["view"]}.get(
            victim.name, ["post", "user"]
        )
        rows = self._conn.execute(_REPLAYED, (topics,)).fetchall()
        await ask(self._pool, victim.name, [Request(*row) for row in rows], patience=PATIENCE)

    async def _replay_the_log(self) -> None:
        """All of it, quickly or for as long as until the next quiet point."""
        await self._beside.replay(self._dice.choice(VIEWS), self._dice.choice((200.0, 2000.0)))

    async def _retire_the_log(self) -> None:
        """As retention does: what has been published and counted leaves the log, and it is noted how far that went."""
        await count(self._pool)
        self._relay.publish()
        self._conn.execute(_RETIRE)

    async def _capture_is_off(self) -> None:
        """For a while nobody is told of anything; when capture is installed again, a fill is asked for."""
        with self._conn.transaction():
            self._world.act(self._dice.randint(1, 25))
            self._conn.execute("DELETE FROM outbox.events WHERE xid = pg_current_xact_id()")
            self._conn.execute("INSERT INTO outbox.fills (reason) VALUES ('torture')")

    async def _bump_schema(self) -> None:
        """A release whose index has another field: new collections, filled while the old ones serve."""
        field: dict[str, Any] = {
            "name": f"extra{self._dice.randint(0, 9)}",
            "type": "string",
            "optional": True,
        }
        index._FIELDS["posts"] = (*self._fields, field)
        await self._kept["search"].stop()
        self._kept["search"].start()

    async def _damage(self) -> None:
        """What no consumer can notice by itself; `verify --repair` is for that."""
        self._damaged = True
        posts = [row[0] for row in self._conn.execute("SELECT id FROM posts ORDER BY id LIMIT 3")]
        for key in self._raw.scan_iter("stunity:{feeds}:*:recent:*"):
            self._raw.zrem(key, *posts or ["none"])
        await self._break(
            "DELETE FROM embeddings.documents WHERE id = (SELECT min(id) FROM embeddings.documents)"
        )

    async def _break(self, statement: LiteralString, *values: object) -> None:
        """In a thread: a consumer in this one may hold the lock. A deadlock with it is as if nothing had happened."""
        with suppress(psycopg.errors.DeadlockDetected):
            await asyncio.to_thread(self._breaking.execute, statement, values or None)

    async def _rebuild(self) -> None:
        """Begin a rebuild; one that is under way is killed, or at least disturbed."""
        if self._beside.rebuilds and self._dice.random() < 0.5:
            await self._beside.kill()
        elif not self._beside.rebuilds:
            await self._beside.rebuild(self._dice.choice(_REBUILT))
        await self._write()

    async def _quiet(self) -> None:
        wrong = await self._stillness.reached(repair=self._damaged)
        self._damaged = False
        if wrong:
            raise Diverged(f"{wrong}\nplan: {self._plan}\nsteps: {' '.join(self._done)}")
        self._done.append("|")


async def play(plan: Plan, settings: Settings, typesense: TypesenseSettings) -> list[str]:
    """Do what a plan says, on stores that are as new; the names of the steps."""
    done: list[str] = []
    async with open_pool(settings.database_url, max_size=20) as pool:
        await Machine(plan, settings, typesense, pool, done).run()
    return done
