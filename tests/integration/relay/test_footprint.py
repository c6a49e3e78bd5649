"""The memory of the real process stays below a stated limit, whatever it has to carry (docs/explanation/relay.md).

120 MB hold for any number of rows, in one transaction or in many. An event that is larger than a batch is held a few
times over on its way: in libpq's buffer, as a message, in the batch, in the request. A transaction of 1,000,000 rows
goes through in `stunity bench relay --suite`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.processes import RelayProcess, real_relay
from tests.support.relay import Streams, emit, emit_many, wait_until

_LIMIT_MB = 120
_LARGE_EVENT_MB = 20
_TIMES_HELD = 6
_ROWS = 60_000


@pytest.fixture
def relay(tmp_path: Path, database: str, redis_url: str, mode: str) -> Iterator[RelayProcess]:
    with real_relay(tmp_path / "relay.log", database, redis_url, mode) as process:
        process.wait_for("relay_started")
        yield process


def peak_mb(process: RelayProcess) -> float:
    """The most that the process has ever held."""
    fields = Path(f"/proc/{process.pid}/status").read_text("ascii").split()
    return int(fields[fields.index("VmHWM:") + 1]) / 1024


def test_one_transaction_of_many_rows(
    relay: RelayProcess, streams: Streams, connection: psycopg.Connection
) -> None:
    """It goes out in slices while it is read."""
    emit_many(connection, _ROWS, size=300)
    wait_until(lambda: streams.length() >= _ROWS, "all rows", timeout=60)
    assert peak_mb(relay) < _LIMIT_MB


def test_a_backlog_of_many_transactions(
    tmp_path: Path,
    database: str,
    redis_url: str,
    mode: str,
    streams: Streams,
    connection: psycopg.Connection,
) -> None:
    """What has piled up while no relay ran is read no faster than Redis takes it."""
    with real_relay(tmp_path / "first.log", database, redis_url, mode) as process:
        process.wait_for("relay_started")
    connection.execute("SET synchronous_commit = off")
    for _ in range(200):
        emit_many(connection, _ROWS // 200, size=300)
    with real_relay(tmp_path / "second.log", database, redis_url, mode) as process:
        wait_until(lambda: streams.length() >= _ROWS, "all rows", timeout=60)
        assert peak_mb(process) < _LIMIT_MB


def test_one_very_large_event(relay: RelayProcess, streams: Streams, connection: psycopg.Connection) -> None:
    """It passes, and holds up nobody behind it."""
    text = "x" * (_LARGE_EVENT_MB << 20)
    large = emit(connection, "p1", data=f'{{"text": "{text}"}}')
    small = emit(connection, "p2")
    wait_until(lambda: len(streams.ids()) == 2, "both events", timeout=60)
    assert streams.ids() == [large, small]
    assert peak_mb(relay) < _LIMIT_MB + _TIMES_HELD * _LARGE_EVENT_MB
