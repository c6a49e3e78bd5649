"""Fixtures: a relay on this test's stores, in either mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from tests.support.relay import RunningRelay, Streams, relay_settings, running

Start = Callable[..., RunningRelay]


@pytest.fixture(params=["wal", "poll"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both modes keep the same promises."""
    return str(request.param)


@pytest.fixture
def start(database: str, redis_url: str, mode: str) -> Iterator[Start]:
    """Starts relays that are stopped at the end of the test."""
    with ExitStack() as stack:

        def start_one(dies_at: tuple[str, int] | None = None, **changes: Any) -> RunningRelay:
            settings = relay_settings(database, redis_url, changes.pop("mode", mode), **changes)
            return stack.enter_context(running(settings, dies_at))

        yield start_one


@pytest.fixture
def streams(redis_url: str, connection: psycopg.Connection) -> Iterator[Streams]:
    """What the relay has written."""
    found = Streams(redis_url, connection)
    with found.client:
        yield found


@pytest.fixture
def another(database: str) -> Iterator[Callable[[], psycopg.Connection]]:
    """Connections of other writers; nothing is committed by itself."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(psycopg.connect(database))
