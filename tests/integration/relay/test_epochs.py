"""I6b: whatever breaks the row of positions or snapshots begins a new epoch, and no event is lost over it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import psycopg.sql
import pytest

from app.stack import binaries
from app.stack.postgres import Postgres
from outbox.relay.assembler import Assembler
from outbox.relay.keyspace import Keyspace
from outbox.relay.link import RedisLink
from outbox.relay.publisher import Publisher
from outbox.relay.session import ReplicationSession
from outbox.relay.wakeup import Wakeup
from schemas.topics import TOPICS
from schemas.wire import End
from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, relay_settings, running, slot_gone, wait_until
from tests.support.servers import Running

OwnPostgres = Callable[[], Running[Postgres]]


def reasons(conn: psycopg.Connection) -> list[tuple[int, str, str]]:
    return conn.execute("SELECT epoch, mode, reason FROM outbox.epochs ORDER BY epoch").fetchall()


def assert_ended(streams: Streams, epoch: int, following: int) -> None:
    """The last entry of every stream says where it goes on, and the streams go away by themselves."""
    last = {entry.topic: entry for entry in streams.entries(epoch)}
    assert {entry.said for entry in last.values()} == {End(following)}
    assert all(streams.client.ttl(streams.key(topic, epoch=epoch)) > 0 for topic in last)


def test_the_first_start_fills_from_the_log(
    start: Start, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    emit_many(connection, 45_000 if mode == "wal" else 500)  # more than one slice of the fill
    start()
    streams.wait_for_all(timeout=40)
    assert reasons(connection) == [(1, mode, "first start")]
    streams.check()


def test_a_restart_goes_on_in_the_same_epoch(
    start: Start, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    for _ in range(3):
        relay = start()
        emit_many(connection, 20)
        streams.wait_for_all()
        relay.stop()
    emit_many(connection, 20)
    start()
    streams.wait_for_all()
    assert reasons(connection) == [(1, mode, "first start")]
    streams.check()


def test_a_change_of_mode_both_ways(start: Start, streams: Streams, connection: psycopg.Connection) -> None:
    for mode in ("wal", "poll", "wal"):
        relay = start(mode=mode)
        emit_many(connection, 20)
        streams.wait_for_all()
        relay.stop()
        emit_many(connection, 20)
    start(mode="wal")
    streams.wait_for_all()
    assert [row[1:] for row in reasons(connection)] == [
        ("wal", "first start"),
        ("poll", "another mode"),
        ("wal", "another mode"),
    ]
    assert_ended(streams, 1, 2)
    assert_ended(streams, 2, 3)
    streams.check(1, 2, 3)
    slots = connection.execute(
        "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
    )
    assert len(slots.fetchall()) == 1


def test_a_change_of_the_number_of_partitions(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    relay.stop()
    emit_many(connection, 20)
    start(partitions=2)
    streams.wait_for_all()
    first, second = streams.ids(1), [event.id for event in streams.events(2, partitions=2)]
    assert sorted(first + second) == streams.committed()
    assert_ended(streams, 1, 2)


@pytest.mark.parametrize("mode", ["wal"])
@pytest.mark.parametrize("while_running", [False, True])
def test_a_dropped_slot(
    start: Start, streams: Streams, connection: psycopg.Connection, while_running: bool
) -> None:
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    (slot,) = connection.execute("SELECT slot FROM outbox.relay_state").fetchone() or ("",)
    if while_running:
        wait_until(lambda: _drop_under_the_reader(connection, slot), "the slot dropped")
    else:
        relay.stop()
        wait_until(lambda: slot_gone(connection, slot), "the slot free")
    emit_many(connection, 20)
    if not while_running:
        start()
    wait_until(lambda: streams.epoch == 2, "a new epoch")
    streams.wait_for_all()
    assert reasons(connection)[1] == (2, "wal", "the slot was lost")
    assert_ended(streams, 1, 2)
    streams.check(1, 2, once=False)


def _drop_under_the_reader(connection: psycopg.Connection, slot: str) -> bool:
    """The reader comes back quickly: end it, and be faster than it is."""
    connection.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = %s",
        (slot,),
    )
    return slot_gone(connection, slot)


@pytest.mark.parametrize("mode", ["auto"])
def test_a_transaction_that_stays_open_keeps_no_event_waiting(
    start: Start, streams: Streams, connection: psycopg.Connection, another: Callable[[], psycopg.Connection]
) -> None:
    """A slot can't be made meanwhile; rounds can."""
    held = another()
    emit(held, "held")
    relay = start()
    emit_many(connection, 20)
    wait_until(lambda: streams.epoch and streams.count() == 20, "the others")
    assert reasons(connection) == [(1, "poll", "first start")]
    held.commit()
    streams.wait_for_all()
    relay.stop()
    emit_many(connection, 20)
    start()
    wait_until(lambda: streams.epoch == 2, "wal mode after all")
    streams.wait_for_all()
    streams.check(1, 2)


@pytest.mark.parametrize("mode", ["wal"])
def test_a_replaced_publication(start: Start, streams: Streams, connection: psycopg.Connection) -> None:
    """What is written without a publication can't be decoded (or, from 18 on, passes unseen)."""
    start()
    emit_many(connection, 20)
    streams.wait_for_all()
    connection.execute("DROP PUBLICATION stunity_outbox")
    emit_many(connection, 20)
    wait_until(lambda: streams.epoch == 2, "a new epoch", timeout=30)
    emit_many(connection, 20)
    streams.wait_for_all()
    streams.check(1, 2, once=False)


@pytest.mark.parametrize("mode", ["wal"])
def test_a_publication_that_is_missing_at_the_start(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """Made anew by the relay; what was written without one comes out of the table, in a new epoch."""
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    relay.stop()
    connection.execute("DROP PUBLICATION stunity_outbox")
    emit_many(connection, 20)
    start()
    wait_until(lambda: streams.epoch == 2, "a new epoch", timeout=30)
    emit_many(connection, 20)
    streams.wait_for_all()
    streams.check(1, 2)


def test_a_dump_restored_into_another_cluster(
    start: Start,
    streams: Streams,
    connection: psycopg.Connection,
    database: str,
    mode: str,
    own_postgres: OwnPostgres,
) -> None:
    """Its rows carry xids that are still to come there, and what came after the dump is in the streams only."""
    for _ in range(2000):  # xids well ahead of a fresh cluster's
        connection.execute("SELECT pg_current_xact_id()")
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    relay.stop()
    emit_many(connection, 20)  # in the dump, not in the streams
    other = own_postgres().server
    other.create_database("restored")
    restore(database, other.url("restored"))
    relay = start()
    emit_many(connection, 20)  # in the streams, not in the dump
    streams.wait_for_all()
    relay.stop()
    with (
        psycopg.connect(other.url("restored"), autocommit=True) as restored,
        running(relay_settings(other.url("restored"), _redis(streams), mode)),
    ):
        there = Streams(_redis(streams), restored)
        wait_until(lambda: there.epoch == 2, "a new epoch")
        emit_many(restored, 20)
        there.wait_for_all()
        assert reasons(restored)[1] == (2, mode, "another cluster or database")
        known = set(there.ids(1)) | set(there.ids(2))
        assert set(there.committed()) <= known
        assert len(there.ids(2)) == len(set(there.ids(2)))
        assert_ended(there, 1, 2)
        (floor,) = restored.execute(
            "SELECT settled_below_id FROM outbox.epochs WHERE epoch = 2"
        ).fetchone() or (0,)
        assert floor == 41
        there.client.close()


def restore(source: str, target: str) -> None:
    """pg_dump into psql's place: the plain form, fed through psycopg would need a parser, so custom format."""
    tools = binaries.postgres_bin()
    environment = {**os.environ, "PGOPTIONS": "-c client_min_messages=error"}
    dump = subprocess.run(
        [str(tools / "pg_dump"), "--format=custom", source], check=True, capture_output=True, env=environment
    )
    subprocess.run(
        [str(tools / "pg_restore"), "--no-owner", "--dbname", target],
        input=dump.stdout,
        check=True,
        env=environment,
    )


def _redis(streams: Streams) -> str:
    address = streams.client.connection_pool.connection_kwargs
    return f"redis://{address['host']}:{address['port']}/0"


def test_a_database_that_is_older_than_the_streams(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    """A disk snapshot put back: same cluster, same timeline, but Redis knows a later epoch."""
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    relay.stop()
    streams.client.hset("stunity:epochs", "7", 1)
    emit_many(connection, 20)
    start()
    wait_until(lambda: streams.epoch == 8, "an epoch that nobody has used")
    streams.wait_for_all()
    assert_ended(streams, 7, 8)
    assert_ended(streams, 1, 8)
    assert set(streams.ids(1)) | set(streams.ids(8)) == set(streams.committed())


def test_positions_from_the_future(
    start: Start, streams: Streams, connection: psycopg.Connection, mode: str
) -> None:
    relay = start()
    emit_many(connection, 20)
    streams.wait_for_all()
    relay.stop()
    streams.client.hset(streams.key("relay"), "progress", "99999999999999-1")
    start()
    wait_until(lambda: streams.epoch == 2, "a new epoch")
    last = emit(connection, "k")
    streams.wait_for_all()
    assert reasons(connection)[1] == (2, mode, "the database is older than the streams")
    assert streams.ids(2)[-1] == last


@pytest.mark.parametrize("mode", ["poll"])
def test_both_modes_give_the_same_content(
    start: Start, streams: Streams, connection: psycopg.Connection, database: str
) -> None:
    """Field by field: the same rows through rounds, through a fill, and through decoding."""
    name = psycopg.sql.Identifier(connection.info.dbname)
    for setting in ("timezone = 'Asia/Phnom_Penh'", "datestyle = 'German'"):
        connection.execute(psycopg.sql.SQL(f"ALTER DATABASE {{}} SET {setting}").format(name))
    connection.execute("SELECT pg_create_logical_replication_slot('by_hand', 'pgoutput')")
    relay = start()
    streams.wait_ready()
    emit_odd_ones(connection)
    streams.wait_for_all()
    by_rounds = contents(streams)
    relay.stop()
    publish_by_hand(database, _redis(streams), connection)
    by_decoding = contents(Streams(_redis(streams), connection, prefix="hand"))
    for table in ("relay_rounds", "relay_state", "epochs"):
        connection.execute(psycopg.sql.SQL("DELETE FROM outbox.{}").format(psycopg.sql.Identifier(table)))
    streams.client.flushall()
    start()
    streams.wait_for_all()
    by_fill = contents(streams)
    assert by_rounds == by_decoding == by_fill
    assert len(by_rounds) == 13


def emit_odd_ones(conn: psycopg.Connection) -> None:
    for text in ("", "\\u0001", "ខ្មែរ", "tab\\tline\\n", "\\\\N", '\\"', "x" * 3000):
        emit(conn, "k:{0}\t\\N'\"", data=f'{{"text": "{text}", "number": 1.50, "none": null}}')
    emit_many(conn, 6)


def publish_by_hand(database: str, redis_url: str, connection: psycopg.Connection) -> None:
    """What wal mode does with a backlog, without its threads."""
    stop, wakeup = threading.Event(), Wakeup()
    link = RedisLink(redis_url, 5.0, stop, 0.1)
    publisher = Publisher(link, Keyspace("hand", 1, TOPICS), 1, 1)
    session = ReplicationSession(database, 5.0, wakeup, stop)
    with closing(link), closing(session), closing(wakeup):
        publisher.seize()
        session.start("by_hand", "stunity_outbox")
        assembler = Assembler(1, 1000, 1 << 20)
        (end,) = connection.execute("SELECT pg_current_wal_flush_lsn() - '0/0'").fetchone() or (0,)
        while assembler.decoded < end:
            size, data = session.read()
            if size > 0:
                assembler.feed(data)
            else:
                session.wait(1.0)
        batch = assembler.take()
        assert batch is not None
        publisher.publish(batch)
    wait_until(lambda: slot_gone(connection, "by_hand"), "the slot free")


def contents(streams: Streams) -> list[tuple[str, dict[bytes, bytes]]]:
    """Every field of every event but its number, which counts markers as well."""
    found = []
    for topic in TOPICS:
        raw: Any = streams.client.xrange(streams.key(topic, epoch=1))
        for _, fields in raw:
            if b"c" not in fields:
                unnumbered = fields[b"m"].partition(b" ")[2]
                found.append((topic, {**fields, b"m": unnumbered}))
    return found
