"""`make faults`: one fault after the other under the torture workload; what held, and how long until it was over.

Two relays with the settings of production, one at work and one standing by. The time is from the end of the fault (of a
relay: from the fault itself) until a marker sees a write that was made right then, so the backlog counts. Prints the
table of docs/explanation/ordering-and-exactly-once.md.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import Final

import psycopg
import redis
from psycopg.sql import SQL, Identifier

from schemas.snapshot import Snapshot
from tests.support.relay import Streams, wait_until
from tests.support.wire import wire_to
from tests.torture import workload
from tests.torture.__main__ import TEMPLATE, Session, session
from tests.torture.faults import FAULTS, World
from tests.torture.verdict import Verdict, judge

_BEFORE: Final = 2.0


def main() -> int:
    """The table, of the faults that are named or of all; stops at the first promise that is broken."""
    wanted = sys.argv[1:]
    _say("| fault | mode | events | lost, twice, out of order | epochs | over after |")
    _say("|---|---|---|---|---|---|")
    with session() as at:
        for mode, faults in FAULTS.items():
            for fault in faults:
                if wanted and fault.__name__ not in wanted:
                    continue
                verdict, seconds = measure(at, mode, fault)
                name = fault.__name__.replace("_", " ")
                _say(f"| {name} | {mode} | {verdict.events} | 0 | {verdict.epochs} | {seconds:.1f} s |")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(at: Session, mode: str, fault: Callable[[World], None]) -> tuple[Verdict, float]:
    """One fault, on stores that are as new."""
    url = at.valkey.server.url()
    with redis.Redis.from_url(url) as client:
        client.flushall()
    database = _new_database(at)
    workload.prepare(database)
    with at_work(at, mode, database, url) as world:
        with workload.at_work(database, seed=7):
            time.sleep(_BEFORE)
            seconds = _suffer(world, database, fault)
        with psycopg.connect(database, autocommit=True) as conn:
            streams = Streams(url, conn)
            with streams.client:
                streams.wait_for_all(60)
                return judge(streams), seconds


def _new_database(at: Session) -> str:
    """Not dropped afterwards: the server goes, and a connection that would drop it may not outlive the fault."""
    name = f"faults_{token_hex(4)}"
    with psycopg.connect(at.postgres.server.url("postgres"), autocommit=True) as conn:
        conn.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(TEMPLATE)))
    return at.postgres.server.url(name)


@contextmanager
def at_work(at: Session, mode: str, database: str, redis_url: str) -> Iterator[World]:
    """Two relays; the first one's wires can be cut."""
    with (
        wire_to(database) as to_postgres,
        wire_to(redis_url) as to_redis,
        psycopg.connect(database, autocommit=True) as conn,
    ):
        streams = Streams(redis_url, conn)
        first = at.nursery.start(mode, _environment(to_postgres.url, to_redis.url))
        streams.wait_ready()
        second = at.nursery.start(mode, _environment(database, redis_url))
        try:
            yield World(at.postgres, at.valkey, streams, first, (to_postgres, to_redis))
        finally:
            streams.client.close()
            for relay in (first, second):
                with suppress(ProcessLookupError):
                    relay.send(signal.SIGKILL)
                relay.bury()


def _suffer(world: World, database: str, fault: Callable[[World], None]) -> float:
    """Seconds from the fault's end until what is written then is published and marked."""
    fault(world)
    began = time.monotonic()
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("SELECT torture_event('session', 'probe')")
        row = conn.execute("SELECT xid::text::bigint FROM outbox.events WHERE key = 'probe'").fetchone()
        assert row is not None
        streams = Streams(world.valkey.server.url(), conn)
        with streams.client:
            wait_until(lambda: _seen(streams, row[0]), "the end of the fault", timeout=60)
    took = time.monotonic() - began
    with suppress(ProcessLookupError):
        world.first.send(signal.SIGCONT)
    return took


def _seen(streams: Streams, xid: int) -> bool:
    marker = streams.newest_marker()
    return marker is not None and Snapshot.parse(marker.snapshot).sees(xid)


def _environment(database: str, redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database, "REDIS_URL": redis_url, "LOG_LEVEL": "CRITICAL"}


if __name__ == "__main__":
    sys.exit(main())
