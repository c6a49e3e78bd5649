"""I1, I5 on a bad wire: cut in the middle of a batch, cut before the reply, and dead without anybody being told."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from tests.support.processes import real_relay
from tests.support.relay import Streams, emit_many, relay_settings, running
from tests.support.wire import wire_to

_MANY = 400  # events of 500 bytes: 200 KB, in as many requests as the relay reads gulps
_SOME_EVENTS = 2_000  # bytes; more than a marker needs


@pytest.mark.parametrize("place", [100, 100_000])
def test_cut_in_the_middle_of_a_batch(
    database: str, redis_url: str, mode: str, streams: Streams, connection: psycopg.Connection, place: int
) -> None:
    """Redis has a part of a command: it carries out none of it, and the relay sends all of it again."""
    with wire_to(redis_url) as wire, running(relay_settings(database, wire.url, mode)):
        emit_many(connection, 20)
        streams.wait_for_all()
        wire.cut_after(place)
        emit_many(connection, _MANY, size=500)
        streams.wait_for_all()
        assert wire.cuts == 1
        streams.check()


def test_cut_before_the_reply(
    database: str, redis_url: str, mode: str, streams: Streams, connection: psycopg.Connection
) -> None:
    """Redis has the batch, the relay does not know: the same call again is refused, and that counts."""
    with wire_to(redis_url) as wire, running(relay_settings(database, wire.url, mode)) as relay:
        emit_many(connection, 20)
        streams.wait_for_all()
        fence = connection.execute("SELECT fence FROM outbox.relay_state").fetchone()
        wire.cut_before_the_reply(_SOME_EVENTS)
        emit_many(connection, _MANY, size=500)
        streams.wait_for_all()
        assert wire.cuts == 1
        assert relay.steps["after_publish"] > 0
        assert connection.execute("SELECT fence FROM outbox.relay_state").fetchone() == fence
        streams.check()


def test_a_relay_that_is_cut_off_is_succeeded_within_five_seconds(
    database: str,
    redis_url: str,
    mode: str,
    streams: Streams,
    connection: psycopg.Connection,
    tmp_path: Path,
) -> None:
    """Real processes with the settings of production; the first one's connections stay open, and carry nothing."""
    with (
        wire_to(database) as to_postgres,
        wire_to(redis_url) as to_redis,
        real_relay(tmp_path / "first", to_postgres.url, to_redis.url, mode) as first,
    ):
        first.wait_for("relay_started")
        with real_relay(tmp_path / "second", database, redis_url, mode) as second:
            second.wait_for("standing_by")
            to_postgres.die()
            to_redis.die()
            assert seconds_until_published(streams, connection) < 5


def test_a_relay_that_dies_is_succeeded_within_five_seconds(
    database: str,
    redis_url: str,
    mode: str,
    streams: Streams,
    connection: psycopg.Connection,
    tmp_path: Path,
) -> None:
    with real_relay(tmp_path / "first", database, redis_url, mode) as first:
        first.wait_for("relay_started")
        with real_relay(tmp_path / "second", database, redis_url, mode) as second:
            second.wait_for("standing_by")
            first.kill()
            assert seconds_until_published(streams, connection) < 5


def seconds_until_published(streams: Streams, connection: psycopg.Connection) -> float:
    """How long some events take that are committed now."""
    began = time.monotonic()
    emit_many(connection, 20)
    streams.wait_for_all()
    took = time.monotonic() - began
    streams.check()
    return took
