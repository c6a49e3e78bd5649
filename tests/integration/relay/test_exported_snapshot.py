"""I6b: the snapshot that a new slot exports, in the shape that PostgreSQL itself would not read back.

A slot becomes consistent in steps, each of which waits for the transactions that are running. When these are rolled
back, none has committed since, and a newer one is open, the exported snapshot has its `xmin` above its `xmax`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from outbox.relay import slot as slots
from outbox.relay.session import ReplicationSession
from outbox.relay.store import Store, connect
from outbox.relay.wakeup import Wakeup
from schemas.snapshot import Snapshot
from tests.integration.relay.conftest import Start
from tests.support.relay import Streams, emit, emit_many, slot_gone, wait_until

Another = Callable[[], psycopg.Connection]


class Rollbacks:
    """Two transactions that a new slot waits for, one after the other, are rolled back; a third stays open."""

    def __init__(self, look: psycopg.Connection, another: Another) -> None:
        self._look = look
        self._first, self._second, self._third = another(), another(), another()
        self._first_xid = self._begin(self._first)

    def happen(self) -> None:
        """Once somebody makes a slot: let each of its waits end in a rollback."""
        wait_until(lambda: self._awaited(self._first_xid), "a slot that waits for the first")
        second_xid = self._begin(self._second)
        self._first.rollback()
        wait_until(lambda: self._awaited(second_xid), "a slot that waits for the second")
        self._begin(self._third)
        self._second.rollback()

    def commit_the_third(self) -> None:
        """It comes after the snapshot."""
        self._third.commit()

    def _begin(self, conn: psycopg.Connection) -> int:
        emit(conn, "waited for")
        row = conn.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        return int(row[0])

    def _awaited(self, xid: int) -> bool:
        waiting = self._look.execute(
            "SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
            " AND transactionid::text::bigint = %s",
            (xid,),
        )
        return waiting.fetchone() is not None


def test_its_bounds_are_put_in_order(database: str, connection: psycopg.Connection, another: Another) -> None:
    emit_many(connection, 5)
    stop, wakeup, made = threading.Event(), Wakeup(), list[slots.CreatedSlot]()
    session = ReplicationSession(database, 5.0, wakeup, stop)
    rollbacks = Rollbacks(connection, another)
    with closing(wakeup), closing(session), closing(connect(database, "test")) as conn:
        making = threading.Thread(
            target=lambda: made.append(slots.create(session, "by_hand", 180000, float("inf")))
        )
        making.start()
        rollbacks.happen()
        making.join(20)
        (created,) = made
        raw = Snapshot.parse(_as_exported(conn, created.snapshot_name))
        assert raw.xmin > raw.xmax, (
            "PostgreSQL has changed: the case that is mended here does not come up any more"
        )
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            conn.execute("SELECT %s::text::pg_snapshot", (str(raw),))
        text = Store(conn).exported_snapshot(created.snapshot_name)
        row = conn.execute(
            "SELECT count(*) AS seen FROM outbox.events WHERE pg_visible_in_snapshot(xid, %s::text::pg_snapshot)",
            (text,),
        ).fetchone()
        assert row == {"seen": 5}
        session.command("SELECT 1")  # the snapshot ends here
    wait_until(lambda: slot_gone(connection, "by_hand"), "the slot free")


def _as_exported(conn: psycopg.Connection[dict[str, object]], name: str) -> str:
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute(psycopg.sql.SQL("SET TRANSACTION SNAPSHOT {}").format(psycopg.sql.Literal(name)))
        row = conn.execute("SELECT pg_current_snapshot()::text AS snapshot").fetchone()
    assert row is not None
    return str(row["snapshot"])


@pytest.mark.parametrize("mode", ["wal"])
def test_a_relay_starts_from_it(
    start: Start, streams: Streams, connection: psycopg.Connection, another: Another
) -> None:
    emit_many(connection, 20)
    rollbacks = Rollbacks(connection, another)
    start()
    rollbacks.happen()
    wait_until(lambda: streams.epoch, "the epoch")
    emit_many(connection, 20)
    rollbacks.commit_the_third()
    streams.wait_for_all()
    streams.check()
