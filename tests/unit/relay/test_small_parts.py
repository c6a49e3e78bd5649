"""Positions, names, back-off, waking."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox.relay.backoff import Backoff
from outbox.relay.errors import Stopping
from outbox.relay.keyspace import Keyspace, partition_of
from outbox.relay.position import START, Position
from outbox.relay.settings import RelaySettings
from outbox.relay.silence import Silence
from outbox.relay.wakeup import Wakeup

_U64 = st.integers(min_value=0, max_value=2**64 - 1)


@given(_U64, _U64)
def test_positions_come_back(major: int, minor: int) -> None:
    position = Position(major, minor)
    assert Position.parse(str(position)) == Position.parse(position.encode()) == position
    assert position < position.next()


def test_no_position_is_the_start() -> None:
    assert Position.parse(b"") == START
    with pytest.raises(ValueError, match="invalid literal"):
        Position.parse("x-1")


def test_keys() -> None:
    names = Keyspace("stunity", 3, ("post", "user"))
    assert names.keys(1) == ["stunity:3:relay:{1}", "stunity:3:post:{1}", "stunity:3:user:{1}"]
    assert names.of(4).stream("post", 0) == "stunity:4:post:{0}"
    assert names.registry == "stunity:epochs"


@given(st.binary(), st.integers(1, 64))
def test_partitions_are_stable(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(b"post-1", 16) == 5


def test_backoff_grows_and_ends_with_the_process() -> None:
    stop = threading.Event()
    backoff = Backoff(stop, longest=0.02, shortest=0.001)
    began = time.monotonic()
    for _ in range(6):
        backoff.wait()
    assert time.monotonic() - began > 0.015
    backoff.reset()
    assert backoff.attempts == 0
    stop.set()
    with pytest.raises(Stopping):
        backoff.wait()


def test_wakeup() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    began = time.monotonic()
    assert not wakeup.wait(5.0)
    assert time.monotonic() - began < 1
    assert not wakeup.wait(0.0)
    wakeup.close()
    wakeup.set()


@pytest.mark.parametrize("wrong", [{"partitions": 0}, {"batch_events": 0}, {"dead_after": 0.5}])
def test_settings_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        RelaySettings("", "", "", **wrong)  # type: ignore[arg-type]


def test_economy_is_cheaper() -> None:
    plain = RelaySettings("d", "d", "r")
    thrifty = plain.economical()
    assert thrifty.marker_interval > plain.marker_interval
    assert thrifty.idle_check_interval > plain.idle_check_interval


def test_silence_is_timed_by_our_own_clock() -> None:
    """The reader's times may be anything; only that they change counts."""
    now = 100.0
    silence = Silence(lambda: now)
    assert silence.of(7, -1e9) == 0
    now = 103.0
    assert silence.of(7, -1e9) == 3
    assert silence.of(7, -2e9) == 0  # it has spoken; its clock went back
    now = 104.0
    assert silence.of(8, -2e9) == 0  # another one
