"""I1, I3 when Redis goes away and comes back: with everything, with less, as another server, or not for a while."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
from prometheus_client import REGISTRY

from app.stack.valkey import Valkey
from tests.support.relay import Streams, emit_many, relay_settings, running, wait_until
from tests.support.servers import Running
from tests.support.wait import NotInTime
from tests.support.wire import wire_to

OwnValkey = Callable[[], Running[Valkey]]


@pytest.mark.parametrize("loses", ["nothing", "its last second", "everything"])
def test_redis_restarts(
    own_valkey: OwnValkey,
    database: str,
    connection: psycopg.Connection,
    mode: str,
    tmp_path: Path,
    loses: str,
) -> None:
    """The append-only file as it was a moment ago is what a crash leaves behind."""
    server = own_valkey()
    url = server.server.url()
    streams = Streams(url, connection)
    with streams.client, running(relay_settings(database, url, mode, batch_events=10)):
        emit_many(connection, 20)
        streams.wait_for_all()
        kept = tmp_path / "valkey"
        wait_until(
            lambda: streams.client.info("persistence")["aof_pending_bio_fsync"] == 0, "the file on disk"
        )
        shutil.copytree(server.server.data, kept)
        emit_many(connection, 20)
        streams.wait_for_all()
        server.kill()
        emit_many(connection, 20)
        if loses != "nothing":
            shutil.rmtree(server.server.data)
        if loses == "its last second":
            shutil.copytree(kept, server.server.data)
        server.start()
        wait_until(lambda: streams.count() == 60, "everything again")
        streams.wait_for_all()
        streams.check()


def test_redis_is_away_when_the_relay_starts(
    own_valkey: OwnValkey, database: str, connection: psycopg.Connection, mode: str
) -> None:
    server = own_valkey()
    url = server.server.url()
    server.kill()
    with running(relay_settings(database, url, mode)):
        emit_many(connection, 10)
        server.start()
        streams = Streams(url, connection)
        with streams.client:
            wait_until(lambda: streams.epoch and streams.count() == 10, "all events")
            streams.wait_for_all()
            streams.check()


def test_a_relay_stops_while_redis_is_away(
    own_valkey: OwnValkey, database: str, connection: psycopg.Connection, mode: str
) -> None:
    server = own_valkey()
    relay_of = relay_settings(database, server.server.url(), mode)
    with running(relay_of) as relay:
        emit_many(connection, 10)
        wait_until(lambda: relay.steps["after_publish"], "a batch")
        server.kill()
        emit_many(connection, 10)
    server.start()
    streams = Streams(server.server.url(), connection)
    with streams.client, running(relay_of):
        streams.wait_for_all()
        streams.check()


def test_redis_loads_for_a_while(
    own_valkey: OwnValkey, database: str, connection: psycopg.Connection, mode: str
) -> None:
    """It takes connections and answers LOADING to everything; it looks up from its file every 1024 commands."""
    server = own_valkey()
    server.kill()
    server.server.settings = {"enable-debug-command": "yes"}
    server.start()
    url = server.server.url()
    streams = Streams(url, connection)
    with streams.client, running(relay_settings(database, url, mode)):
        emit_many(connection, 20)
        streams.wait_for_all()
        with streams.client.pipeline(transaction=False) as pipe:
            for number in range(5000):
                pipe.set(f"ballast{number}", "x")
            pipe.execute()
        streams.client.config_set("key-load-delay", 300)  # microseconds
        refused = _refusals("LOADING")
        loading = threading.Thread(target=streams.client.execute_command, args=("DEBUG", "LOADAOF"))
        loading.start()
        while loading.is_alive():
            emit_many(connection, 5)
            loading.join(0.1)
        assert _refusals("LOADING") > refused
        streams.wait_for_all()
        streams.check()


def test_a_failover_to_a_replica_that_lacks_the_last_entries(
    own_valkey: OwnValkey, database: str, connection: psycopg.Connection, mode: str
) -> None:
    """The old primary answers READONLY, the new one stands further back, and both have acknowledged."""
    old, new = own_valkey(), own_valkey()
    streams = Streams(new.server.url(), connection)
    with (
        redis.Redis.from_url(old.server.url()) as before,
        streams.client as after,
        wire_to(old.server.url()) as wire,
        running(relay_settings(database, wire.url, mode, batch_events=10)),
    ):
        published = Streams(old.server.url(), connection)
        before.config_set("repl-diskless-sync-delay", 0)  # seconds it would wait for more replicas
        after.replicaof("127.0.0.1", str(old.server.port))
        emit_many(connection, 30)
        published.wait_for_all()
        _wait_for_replica(before, after)
        streams.wait_for_all()
        after.replicaof("NO", "ONE")
        emit_many(connection, 30)
        published.wait_for_all()
        assert streams.count() == 30
        refused = _refusals("READONLY")
        wire.lead_to(new.server.url())
        before.replicaof("127.0.0.1", str(new.server.port))
        emit_many(connection, 30)
        wait_until(lambda: streams.count() == 90, "everything on the new primary")
        assert _refusals("READONLY") > refused
        streams.wait_for_all()
        streams.check()
        published.client.close()


def _wait_for_replica(primary: redis.Redis, replica: redis.Redis) -> None:
    """Until it has everything that the primary has now."""
    offset = primary.info("replication")["master_repl_offset"]

    def arrived() -> bool:
        said = replica.info("replication")
        return bool(said["master_link_status"] == "up" and said["slave_repl_offset"] >= offset)

    try:
        wait_until(arrived, "the replica", timeout=60)
    except NotInTime as late:
        late.add_note(f"primary: {primary.info('replication')}")
        late.add_note(f"replica: {replica.info('replication')}")
        raise


def _refusals(code: str) -> float:
    """How often this process was told so by Redis."""
    return REGISTRY.get_sample_value("stunity_relay_redis_failures_total", {"code": code}) or 0.0
