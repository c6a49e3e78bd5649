"""Reading the log between two snapshots: exactly what became visible, whatever order transactions committed in."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.outbox import Connection

EMIT = "SELECT outbox.emit('post', 'post.updated', %s, '{}')"


def snapshot(conn: Connection) -> str:
    row = conn.execute("SELECT pg_current_snapshot()::text").fetchone()
    assert row is not None
    return str(row[0])


def between(conn: Connection, since: str | None, upto: str, **options: Any) -> list[str]:
    """Keys of log_events."""
    wanted = {"epoch": 0, "topics": None, "after": 0, "max": 100} | options
    rows = conn.execute(
        "SELECT key FROM outbox.log_events(%(since)s, %(epoch)s, %(upto)s, %(topics)s, %(after)s, %(max)s)",
        {"since": since, "upto": upto, **wanted},
    )
    return [key for (key,) in rows]


@pytest.fixture
def writers(database: str) -> Any:
    connections = [psycopg.connect(database) for _ in range(3)]
    yield connections
    for conn in connections:
        conn.close()


def test_late_commits_are_in_the_later_slice_and_in_no_other(
    connection: Connection, writers: list[Connection]
) -> None:
    early, late, other = writers
    late.execute(EMIT, ("late",))  # smaller id and xid than everything below, committed last
    early.execute(EMIT, ("early",))
    early.commit()
    first = snapshot(connection)
    other.execute(EMIT, ("other",))
    other.commit()
    late.commit()
    second = snapshot(connection)
    assert between(connection, None, first) == ["early"]
    assert between(connection, first, second) == ["late", "other"], "in id order"
    assert between(connection, second, snapshot(connection)) == []


def test_pages_and_topics(connection: Connection) -> None:
    start = snapshot(connection)
    for key in "abcde":
        connection.execute(EMIT, (key,))
    connection.execute("SELECT outbox.emit('user', 'user.updated', 'u', '{}')")
    end = snapshot(connection)
    rows = connection.execute(
        "SELECT id, key FROM outbox.log_events(%s, 0, %s, '{post}', 0, 2)", (start, end)
    ).fetchall()
    assert [key for _, key in rows] == ["a", "b"]
    assert between(connection, start, end, topics=["post"], after=rows[-1][0]) == ["c", "d", "e"]
    assert between(connection, start, end, topics=["user"]) == ["u"]


def test_rows_that_a_restore_brought_back_are_found_whatever_their_xid(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO outbox.epochs (epoch, mode, partitions, reason) VALUES (1, 'poll', 1, 'first')"
    )
    connection.execute(EMIT, ("old",))
    known = snapshot(connection)
    connection.execute(
        """INSERT INTO outbox.events (id, xid, topic, type, key, data) OVERRIDING SYSTEM VALUE
           VALUES (1000, '99999999999', 'post', 'post.updated.v1', 'restored', '{}')"""
    )
    connection.execute("SELECT setval(pg_get_serial_sequence('outbox.events', 'id'), 1000)")
    connection.execute(
        """INSERT INTO outbox.epochs (epoch, mode, partitions, reason, settled_below_id)
           VALUES (2, 'poll', 1, 'restore', 1001)"""
    )
    connection.execute(EMIT, ("new",))
    now = snapshot(connection)
    assert between(connection, known, now, epoch=1) == ["restored", "new"]
    assert between(connection, None, now, epoch=1) == ["old", "restored", "new"]
    future = "88888888888:88888888888:"  # a checkpoint of the other life, ahead of this one's xids
    assert between(connection, future, now, epoch=1) == ["restored", "new"], (
        "new ids are newer than any old snapshot"
    )
    assert between(connection, now, snapshot(connection), epoch=2) == []


def test_the_oldest_event_that_a_view_lacks(connection: Connection, writers: list[Connection]) -> None:
    open_one, *_ = writers
    open_one.execute(EMIT, ("open",))
    connection.execute(EMIT, ("seen",))
    seen = snapshot(connection)
    assert _oldest(connection, seen) is None, "the open one is not visible to anybody yet"
    open_one.commit()
    connection.execute(EMIT, ("newer",))
    row = connection.execute("SELECT occurred_at FROM outbox.events WHERE key = 'open'").fetchone()
    assert row is not None
    assert _oldest(connection, seen) == row[0]
    assert _oldest(connection, snapshot(connection)) is None


def _oldest(conn: Connection, seen: str) -> Any:
    row = conn.execute("SELECT outbox.oldest_unapplied(%s)", (seen,)).fetchone()
    assert row is not None
    return row[0]


def test_position_names_the_epoch_and_the_writing_transaction(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO outbox.epochs (epoch, mode, partitions, reason) VALUES (7, 'poll', 1, 'test')"
    )
    with connection.transaction():
        row = connection.execute("SELECT outbox.position()").fetchone()
        connection.execute(EMIT, ("p",))
    written = connection.execute("SELECT '7.' || xid FROM outbox.events").fetchone()
    assert row == written


def test_what_is_published(connection: Connection) -> None:
    row = connection.execute(
        """SELECT p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot, t.schemaname, t.tablename
             FROM pg_publication p JOIN pg_publication_tables t USING (pubname) WHERE pubname = 'stunity_outbox'"""
    ).fetchall()
    assert row == [(True, False, False, False, True, "outbox", "events")]
