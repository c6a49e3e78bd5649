"""I1, I3: what Redis refuses is not published, nothing overtakes it, and what Redis loses is sent again or told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from app.stack.valkey import Valkey
from outbox.relay.position import START, Position
from schemas.envelope import Event
from schemas.wire import Gap
from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, wait_until
from tests.support.servers import Running

OwnValkey = Callable[[], Running[Valkey]]


@contextmanager
def out_of_memory(client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory", 1)
    yield
    client.config_set("maxmemory", 0)


@contextmanager
def read_only(client: redis.Redis) -> Iterator[None]:
    """As after a failover: the old primary is a replica now (of nobody who answers)."""
    client.config_set("replica-serve-stale-data", "yes")
    client.replicaof("127.0.0.1", "1")
    yield
    client.replicaof("NO", "ONE")


@contextmanager
def disk_failed(client: redis.Redis) -> Iterator[None]:
    """MISCONF: the last background save failed."""
    in_the_way = Path(str(client.config_get("dir")["dir"])) / "dump.rdb"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    client.config_set("save", "3600 1")
    client.set("dirty", 1)
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "a failed save")
    yield
    client.config_set("save", "")
    in_the_way.rmdir()
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok", "a good save")


@contextmanager
def busy(client: redis.Redis) -> Iterator[None]:
    """A script of somebody else that takes its time."""
    threshold = str(client.config_get("busy-reply-threshold")["busy-reply-threshold"])
    client.config_set("busy-reply-threshold", 50)

    def hog() -> None:
        address = client.connection_pool.connection_kwargs
        with (
            redis.Redis(host=address["host"], port=address["port"]) as other,
            pytest.raises(redis.ResponseError),
        ):
            other.eval("while true do end", 0)

    thread = threading.Thread(target=hog)
    thread.start()
    wait_until(lambda: _is_busy(client), "BUSY")
    yield
    client.script_kill()
    thread.join(10)
    client.config_set("busy-reply-threshold", threshold)  # the server is shared with other tests


def _is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ResponseError as error:
        return str(error).startswith("BUSY")
    return False


@pytest.mark.parametrize("fault", [out_of_memory, read_only, disk_failed, busy])
def test_refused_batches_wait_in_order(
    start: Start,
    streams: Streams,
    connection: psycopg.Connection,
    fault: Callable[[redis.Redis], object],
) -> None:
    relay = start(batch_events=5)
    emit_many(connection, 12)
    streams.wait_for_all()
    with fault(streams.client):  # type: ignore[attr-defined]
        tried = relay.steps["before_publish"]
        emit_many(connection, 30)
        emit(connection, "k1")
        wait_until(lambda: relay.steps["before_publish"] > tried, "an attempt")
    streams.wait_for_all()
    streams.check()


def test_what_redis_refuses_is_not_confirmed(
    start: Start, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    """I3: a relay that has read on and dies must find again what Redis did not take."""
    quick = {"trail_seconds": 0.0, "state_interval": 0.05, "dead_after": 1.0}
    relay = start(**quick)
    emit(connection, "k")
    streams.wait_for_all()
    confirming, times = ("after_confirm", 2) if mode == "wal" else ("before_round", 10)
    with out_of_memory(streams.client):
        tried = relay.steps["before_publish"]
        emit(connection, "k")
        wait_until(lambda: relay.steps["before_publish"] > tried, "an attempt")
        passed = relay.steps[confirming]
        wait_until(lambda: relay.steps[confirming] > passed + times, "time to confirm it")
        relay.die()
        relay.wait_until_dead()
    start(**quick)
    streams.wait_for_all()
    streams.check()


def test_a_long_outage_does_not_cost_the_session(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """Longer than the silence after which a relay counts as dead, with a full queue in front of Redis."""
    start(batch_events=1, queue_batches=1, dead_after=1.0)
    streams.wait_ready()
    fence = connection.execute("SELECT fence FROM outbox.relay_state").fetchone()
    with out_of_memory(streams.client):
        for _ in range(30):
            emit(connection, "k")
        time.sleep(2.5)  # the length of the outage is the point
    streams.wait_for_all()
    streams.check()
    assert connection.execute("SELECT fence FROM outbox.relay_state").fetchone() == fence


def test_a_key_of_another_type_stops_everything_until_it_is_gone(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    relay = start()
    streams.wait_ready()
    key = streams.key("view")
    streams.client.delete(key)
    streams.client.set(key, "not a stream")
    tried = relay.steps["before_publish"]
    emit(connection, "k", topic="post")
    wait_until(lambda: relay.steps["before_publish"] > tried, "an attempt")
    assert streams.client.xlen(streams.key("post")) == streams.client.xlen(streams.key("user"))
    streams.client.delete(key)
    streams.wait_for_all()


def test_script_flush_and_cut_connections(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start(batch_events=3)
    for _ in range(5):
        emit_many(connection, 10)
        streams.client.script_flush()
        for client in streams.client.client_list():
            if client["name"] == "stunity-relay":
                streams.client.client_kill_filter(_id=client["id"], skipme=True)
    streams.wait_for_all()
    streams.check()


def test_flushed_within_the_trail_everything_comes_again(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start()
    emit_many(connection, 25)
    streams.wait_for_all()
    streams.client.flushall()
    wait_until(lambda: streams.count() == 25, "the same events")
    emit_many(connection, 5)
    streams.wait_for_all()
    streams.check()


def test_flushed_behind_the_trail_a_gap_is_told_on_every_stream(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    start(trail_seconds=0.2)
    emit_many(connection, 25)
    streams.wait_for_all()
    last = max(entry.position for entry in streams.entries() if isinstance(entry.said, Event))
    wait_until(lambda: _confirmed(connection) >= last, "all 25 confirmed")
    streams.client.flushall()
    wait_until(lambda: streams.client.exists(streams.key()), "the streams again")
    later = emit(connection, "later")
    streams.wait_for_all()
    for key in ("post", "view"):
        first = next(entry for entry in streams.entries() if entry.topic == key)
        assert (first.n, first.said) == (1, Gap())
    assert streams.ids()[-1] == later


def _confirmed(connection: psycopg.Connection) -> Position:
    """Up to where PostgreSQL has been told."""
    row = connection.execute("SELECT confirmed_progress FROM outbox.relay_state").fetchone()
    return Position.parse(row[0][0]) if row and row[0] else START


def test_one_stream_deleted(start: Start, streams: Streams, connection: psycopg.Connection) -> None:
    """What was in it is gone; its numbers go on, so that every reader sees the hole."""
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    before = int(streams.client.hget(streams.key("relay"), "n:post") or 0)
    streams.client.delete(streams.key("post"))
    relay.stop()
    start()
    emit(connection, "later")
    streams.wait_for_all()
    numbers = [entry.n for entry in streams.entries() if entry.topic == "post"]
    assert numbers[0] == before + 1
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("mode", ["wal"])
def test_an_entry_that_vanished_from_the_middle_is_told_as_a_gap(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """What the WAL still has is compared with what is there; poll mode reads only the last round again."""
    relay = start(trail_seconds=60)
    streams.wait_ready()
    for number in range(6):
        emit(connection, f"k{number}")
    streams.wait_for_all()
    relay.stop()
    victim = [entry for entry in streams.entries() if isinstance(entry.said, Event)][3]
    streams.client.xdel(streams.key(), str(victim.position))
    start(trail_seconds=60)
    wait_until(lambda: any(isinstance(entry.said, Gap) for entry in streams.entries()), "a gap marker")


@pytest.mark.parametrize("trimmed", [True, False])
def test_a_restart_does_not_repeat_what_was_trimmed(
    start: Start, streams: Streams, connection: psycopg.Connection, trimmed: bool
) -> None:
    relay = start()
    emit_many(connection, 50)
    streams.wait_for_all()
    relay.stop()
    before = streams.ids()
    if trimmed:
        streams.client.xtrim(streams.key(), maxlen=2, approximate=False)
        before = streams.ids()
    start()
    last = emit(connection, "k")
    streams.wait_for_all()
    assert streams.ids() == [*before, last]


def test_a_foreign_entry_on_top_does_not_block_for_ever(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """Somebody's XADD * has an id far in the future; once the key is gone the relay goes on by itself."""
    start()
    emit(connection, "k")
    streams.wait_for_all()
    streams.client.xadd(streams.key(), {"foreign": "entry"}, id="99999999999999-0")
    emit(connection, "k2", topic="user")
    emit(connection, "k3")
    streams.client.delete(streams.key())
    streams.wait_for_all()
