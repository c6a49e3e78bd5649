"""I1, I2: every committed event once, per key in commit order, whatever the transactions do meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg

from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, wait_until

Another = Callable[[], psycopg.Connection]


def test_everything_that_was_there_and_everything_that_comes(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    emit_many(connection, 30)
    start()
    wait_until(lambda: streams.count() == 30, "the backlog")
    for number in range(20):
        emit(connection, f"k{number % 3}", data='{"text": "សួស្តី\\u0007 \\"quoted\\""}')
    streams.wait_for_all()
    streams.check()


def test_a_later_state_never_comes_before_an_older_one(
    start: Start, streams: Streams, another: Another
) -> None:
    """T1 takes its xid first and commits last; T3 stays open: order by xid or below xmin turns A around."""
    t1, t2, t3 = another(), another(), another()
    t1.execute("CREATE TABLE a (id int PRIMARY KEY, v text)")
    t1.execute("INSERT INTO a VALUES (1, '')")
    t1.commit()
    start()
    streams.wait_ready()
    t1.execute("SELECT pg_current_xact_id()")
    emit(t3, "other")
    t2.execute("UPDATE a SET v = 'two'")
    second = emit(t2, "A", data='{"v": "two"}')
    blocked = threading.Thread(target=t1.execute, args=("UPDATE a SET v = 'one'",))
    blocked.start()
    t2.commit()
    blocked.join(10)
    first = emit(t1, "A", data='{"v": "one"}')
    t1.commit()
    wait_until(lambda: streams.ids() == [second, first], "both, in the order of their commits")
    t3.commit()
    streams.wait_for_all()
    streams.check()


def test_one_that_waited_comes_second_within_a_round_as_well(
    start: Start, streams: Streams, another: Another
) -> None:
    """Both are read at once, and the second has the smaller xid."""
    relay = start()
    streams.wait_ready()
    relay.stop()
    t1, t2 = another(), another()
    t1.execute("SELECT pg_current_xact_id()")
    second = emit(t2, "A", data='{"v": "two"}')
    t2.commit()
    first = emit(t1, "A", data='{"v": "one"}')
    t1.commit()
    start()
    streams.wait_for_all()
    assert streams.ids() == [second, first]


def test_an_open_transaction_delays_nobody_else(start: Start, streams: Streams, another: Another) -> None:
    start()
    streams.wait_ready()
    long, short = another(), another()
    late = emit(long, "late")
    for number in range(5):
        emit(short, f"k{number}")
        short.commit()
    wait_until(lambda: streams.count() == 5, "the others")
    assert late not in streams.ids()
    long.commit()
    streams.wait_for_all()
    streams.check()


def test_rolled_back_and_subtransactions(start: Start, streams: Streams, another: Another) -> None:
    start()
    conn = another()
    emit(conn, "gone")
    conn.rollback()
    with conn.transaction():
        kept = [emit(conn, "kept")]
        try:
            with conn.transaction():
                emit(conn, "undone")
                raise psycopg.Rollback
        except psycopg.Rollback:
            pass
        with conn.transaction():
            kept.append(emit(conn, "kept"))
    streams.wait_for_all()
    assert streams.ids() == kept
    streams.check()


def test_many_writers_of_few_rows(start: Start, streams: Streams, database: str, another: Another) -> None:
    """Each writes its event under the lock of the row that it is about."""
    with another() as conn:
        conn.execute("CREATE TABLE counters (id int PRIMARY KEY, v int)")
        conn.execute("INSERT INTO counters SELECT i, 0 FROM generate_series(0, 4) i")
        conn.commit()

    def write(seed: int) -> None:
        with psycopg.connect(database) as mine:
            for number in range(25):
                rows = sorted({(seed + number) % 5, (seed * number) % 5})
                for row in rows:
                    mine.execute("UPDATE counters SET v = v + 1 WHERE id = %s", (row,))
                    emit(mine, f"row{row}")
                mine.rollback() if number % 7 == 3 else mine.commit()

    start()
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    streams.wait_for_all()
    streams.check()


def test_partitions(start: Start, streams: Streams, connection: psycopg.Connection) -> None:
    start(partitions=3, batch_events=7)
    emit_many(connection, 200, keys=20)
    streams.wait_for_all()
    streams.check(partitions=3)
    used = {entry.partition for entry in streams.entries(partitions=3) if entry.n > 3}
    assert used == {0, 1, 2}
    homes: dict[str, set[int]] = {}
    for entry in streams.entries(partitions=3):
        if key := getattr(entry.said, "key", None):
            homes.setdefault(key, set()).add(entry.partition)
    assert all(len(partitions) == 1 for partitions in homes.values())


def test_a_large_transaction_goes_out_in_slices(
    start: Start, streams: Streams, connection: psycopg.Connection
) -> None:
    relay = start(batch_events=1000, batch_bytes=100_000)
    emit_many(connection, 12_000)
    streams.wait_for_all()
    streams.check()
    assert relay.steps["after_publish"] > 10


def test_a_large_event(start: Start, streams: Streams, connection: psycopg.Connection) -> None:
    start()
    emit(connection, "big", data='{"text": "' + "x" * 5_000_000 + '"}')
    emit(connection, "small")
    streams.wait_for_all()
    assert len(streams.events()[0].data["text"]) == 5_000_000
    streams.check()
