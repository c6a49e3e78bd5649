"""Writing events by hand: in the caller's transaction, with clear words for bad input, waking only a sleeping relay."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from outbox.append import append, set_context
from schemas.envelope import NewEvent
from schemas.errors import MalformedEvent, UnknownEvent
from schemas.topics import TOPICS
from tests.support.outbox import log

REVOKED = NewEvent("session.revoked", "u1", {"userId": "u1", "jti": "t1"})


async def test_append_is_part_of_the_callers_transaction(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as writer:
        event_id = await append(writer, REVOKED)
        with psycopg.connect(database) as reader:
            assert log(reader) == []
        await writer.commit()
        with psycopg.connect(database) as reader:
            (event,) = log(reader)
        assert (event.id, event.topic, event.type, event.key) == (
            event_id,
            "session",
            "session.revoked.v1",
            "u1",
        )

        await append(writer, REVOKED)
        await writer.rollback()
    with psycopg.connect(database) as reader:
        assert len(log(reader)) == 1


async def test_append_refuses_what_no_reader_would_understand(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as conn:
        with pytest.raises(UnknownEvent):
            await append(conn, NewEvent("teapot.boiled", "t1", {}))
        with pytest.raises(MalformedEvent, match="userId"):
            await append(conn, NewEvent("session.revoked", "u1", {"jti": "t1"}))
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE, (
            "not even a statement was sent"
        )


async def test_context_goes_into_the_headers_of_the_transaction_and_no_other(database: str) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with await psycopg.AsyncConnection.connect(database) as conn:
        await set_context(conn, traceparent=traceparent, actor="u9")
        await append(conn, NewEvent("session.revoked", "u1", {"userId": "u1"}, {"reason": "logout"}))
        await conn.commit()
        await append(conn, REVOKED)
        await conn.commit()
    with psycopg.connect(database) as reader:
        first, second = log(reader)
    assert first.headers == {"traceparent": traceparent, "actor": "u9", "reason": "logout"}
    assert second.headers == {}


def test_any_language_may_call_emit(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "SELECT outbox.emit('quiz', 'live_quiz.started', 'q1', '{\"sessionCode\": \"123456\"}')"
    )
    connection.execute("SELECT outbox.emit('quiz', 'live_quiz.started.v2', 'q1', '{}', '{\"a\": 1}')")
    first, second = log(connection)
    assert (first.type, first.data, first.headers) == ("live_quiz.started.v1", {"sessionCode": "123456"}, {})
    assert (second.type, second.headers) == ("live_quiz.started.v2", {"a": 1})


BAD_INPUT = [
    (("teapot", "post.created", "p1", "{}"), "unknown topic 'teapot'"),
    ((None, "post.created", "p1", "{}"), "unknown topic NULL"),
    (("post", "created", "p1", "{}"), "bad type 'created'"),
    (("post", "post.created.v0", "p1", "{}"), "bad type"),
    (("post", "Post.Created", "p1", "{}"), "bad type"),
    (("post", None, "p1", "{}"), "bad type NULL"),
    (("post", "post.created", None, "{}"), "the key of post.created"),
    (("post", "post.created", "", "{}"), "the key of post.created"),
    (("post", "post.created", "x" * 501, "{}"), "1 to 500 characters"),
    (("post", "post.created", "p1", "[]"), "must be a JSON object, not array"),
    (("post", "post.created", "p1", None), "must be a JSON object, not SQL NULL"),
    (("post", "post.created", "p1", "null"), "must be a JSON object, not null"),
]


def test_bad_input_is_named(connection: psycopg.Connection[Any]) -> None:
    for arguments, words in BAD_INPUT:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
            connection.execute("SELECT outbox.emit(%s, %s, %s, %s)", arguments)
    assert log(connection) == []


def test_headers_must_be_an_object(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="headers"):
        connection.execute("SELECT outbox.emit('post', 'post.created', 'p1', '{}', '[1]')")
    connection.execute("SELECT outbox.emit('post', 'post.created', 'p1', '{}', NULL)")
    assert log(connection)[0].headers == {}


def test_sql_and_python_know_the_same_topics(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SELECT outbox.topics()").fetchone()
    assert row is not None
    assert set(row[0]) == set(TOPICS)


def _notified(listener: psycopg.Connection[Any]) -> int:
    return len(list(listener.notifies(timeout=0.2)))


def test_writers_notify_only_while_the_relay_sleeps(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN stunity_outbox")
        emit = "SELECT outbox.emit('post', 'post.deleted', 'p1', '{}')"
        connection.execute(emit)
        assert _notified(listener) == 0

        connection.execute("SELECT outbox.relay_sleeps()")
        connection.execute(emit)
        assert _notified(listener) == 1
        with connection.transaction():
            connection.execute(emit)
            connection.execute(emit)
        assert _notified(listener) == 1, "once per transaction"

        connection.execute("SELECT outbox.relay_wakes()")
        connection.execute(emit)
        assert _notified(listener) == 0


def test_going_to_sleep_is_seen_by_a_transaction_that_began_before(database: str) -> None:
    with psycopg.connect(database) as writer, psycopg.connect(database, autocommit=True) as relay:
        relay.execute("LISTEN stunity_outbox")
        writer.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        writer.execute("SELECT 1 FROM outbox.events")
        relay.execute("SELECT outbox.relay_sleeps()")
        writer.execute("SELECT outbox.emit('post', 'post.deleted', 'p1', '{}')")
        writer.commit()
        assert _notified(relay) == 1
