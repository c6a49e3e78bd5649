"""Faults of stores and relays, one function each; it returns when the fault is over. The table is `fault_table.py`."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import redis

from app.stack.postgres import Postgres
from app.stack.valkey import Valkey
from runtime.errors import ConfigurationError
from tests.support.relay import Streams, wait_until
from tests.support.servers import Running
from tests.support.wire import Wire
from tests.torture.relays import Victim

_LASTS: Final = 3.0


@dataclass(frozen=True, slots=True)
class World:
    """What can be broken."""

    postgres: Running[Postgres]
    valkey: Running[Valkey]
    streams: Streams
    first: Victim
    wires: tuple[Wire, Wire]

    @property
    def redis(self) -> redis.Redis:
        """The streams' server."""
        return self.streams.client


def relay_killed(world: World) -> None:
    """SIGKILL to the relay at work."""
    world.first.send(signal.SIGKILL)


def relay_paused(world: World) -> None:
    """SIGSTOP; it is woken at the end, and must publish nothing."""
    world.first.send(signal.SIGSTOP)


def relay_cut_off(world: World) -> None:
    """Its connections stay open and carry nothing."""
    for wire in world.wires:
        wire.die()


def redis_restarted(world: World) -> None:
    """Kill -9; comes back with everything."""
    world.valkey.kill()
    world.valkey.start()


def redis_lost_its_last_second(world: World) -> None:
    """Kill -9; comes back with an append-only file that ends a second earlier."""
    data = world.valkey.server.data
    kept = data.with_name("kept")
    shutil.rmtree(kept, ignore_errors=True)
    wait_until(lambda: _info(world, "aof_pending_bio_fsync") == 0, "the file on disk")
    shutil.copytree(data, kept)
    time.sleep(1.0)  # the second that is lost
    world.valkey.kill()
    shutil.rmtree(data)
    kept.rename(data)
    world.valkey.start()


def redis_emptied(world: World) -> None:
    """FLUSHALL, of nothing that PostgreSQL has been told yet."""
    world.redis.flushall()


def redis_full(world: World) -> None:
    """OOM for three seconds."""
    world.redis.config_set("maxmemory", 1)
    time.sleep(_LASTS)
    world.redis.config_set("maxmemory", 0)


def redis_read_only(world: World) -> None:
    """READONLY for three seconds."""
    world.redis.replicaof("127.0.0.1", "1")
    time.sleep(_LASTS)
    world.redis.replicaof("NO", "ONE")


def connections_cut(world: World) -> None:
    """Every connection of the relay, to either store."""
    world.streams.conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'stunity-relay%'"
    )
    for client in world.redis.client_list():
        if client["name"] == "stunity-relay":
            with suppress(redis.ResponseError):
                world.redis.client_kill_filter(_id=client["id"])


def postgres_killed(world: World) -> None:
    """Kill -9 of the postmaster; recovers from its WAL once the last of its children has noticed."""
    world.postgres.kill()
    wait_until(lambda: _starts(world), "PostgreSQL again", timeout=30)


def postgres_restarted(world: World) -> None:
    """A fast shutdown and a start."""
    world.postgres.stop()
    world.postgres.start()


def slot_dropped(world: World) -> None:
    """Under the relay's feet."""
    wait_until(lambda: _drop_slots(world.streams.conn), "the slot dropped")


_BOTH: Final[tuple[Callable[[World], None], ...]] = (
    relay_killed,
    relay_paused,
    relay_cut_off,
    connections_cut,
    redis_restarted,
    redis_lost_its_last_second,
    redis_emptied,
    redis_full,
    redis_read_only,
    postgres_restarted,
    postgres_killed,
)
FAULTS: Final = {"wal": (*_BOTH, slot_dropped), "poll": _BOTH}


def _starts(world: World) -> bool:
    try:
        world.postgres.start()
    except ConfigurationError:
        return False
    return True


def _info(world: World, field: str) -> Any:
    return world.redis.info("persistence")[field]


def _drop_slots(conn: psycopg.Connection[Any]) -> bool:
    conn.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE database = current_database()"
    )
    try:
        conn.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
        )
    except psycopg.errors.ObjectInUse:
        return False
    return True
