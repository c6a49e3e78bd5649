"""From commit to readable in the stream: the relay alone, under a steady load that waits for nobody.

pgbench writes on a schedule made beforehand (`--rate`), so a stall delays no later write and hides nothing. The clock
starts with PostgreSQL's own commit time, which is taken before the commit is flushed to disk, and ends when a reader
that waits in XREAD has the entry. From commit to the views is `latency.py`.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from statistics import quantiles
from typing import Any, Final

import psycopg
import redis

from app.bench.process import RelayProcess
from app.bench.servers import Servers, servers
from app.stack import binaries
from schemas import wire

SETTINGS: Final = {"track_commit_timestamp": "on"}
_WRITERS: Final = 16
_GRACE: Final = 20.0
_WARM_UP: Final = 1.0
_BLOCK_MS: Final = 1000
_INSERT: Final = """
\\set n random(1, 1000)
INSERT INTO outbox.events (topic, type, key, data, headers)
VALUES ('post', 'post.created.v1', 'post-' || :n::int,
        jsonb_build_object('id', :n::int, 'content', repeat('lorem ipsum ', 32)), '{"actor": "u1"}');
"""
_COMMITTED: Final = """
SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xid::text::xid))::float8 FROM outbox.events WHERE id > %s
"""


class Reader:
    """Notes when each event could be read."""

    def __init__(self, url: str, stream: str) -> None:
        self.seen: dict[int, float] = {}
        self._client = redis.Redis.from_url(url)
        self._stream = stream
        self._from: Any = "$"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Read no more."""
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        last: Any = self._client.xrevrange(self._stream, count=1)
        self._from = last[0][0] if last else b"0-0"
        while not self._ended.is_set():
            reply: Any = self._client.xread({self._stream: self._from}, block=_BLOCK_MS)
            now = time.time()
            for _, entries in reply.items() if isinstance(reply, dict) else reply or ():
                self._take(entries[0] if isinstance(reply, dict) else entries, now)

    def _take(self, entries: list[Any], now: float) -> None:
        for self._from, fields in entries:
            if b"m" in fields:
                self.seen[int(wire.head(fields).id)] = now


def measure_all(rates: list[int], seconds: float, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Every rate in both modes, on servers of its own."""
    found: dict[str, Any] = {}
    with servers(**SETTINGS) as on:
        for mode in ("wal", "poll"):
            found[mode] = {}
            for rate in rates:
                say(f"{mode}: {rate:,} events/s for {seconds:g} s")
                found[mode][f"at_{rate}_per_s"] = measure(on, mode=mode, rate=rate, seconds=seconds)
    return found


def measure(on: Servers, *, mode: str, rate: int, seconds: float) -> dict[str, float | int]:
    """Latencies in milliseconds at `rate` transactions of one event per second."""
    relay = RelayProcess(on, mode)
    relay.settle()
    with relay.running() as process, psycopg.connect(on.database_url, autocommit=True) as conn:
        conn.execute("SELECT outbox.emit('post', 'post.created', 'first', '{}')")
        before = relay.logged()
        relay.await_published(before, process)
        reader = Reader(on.redis_url, relay.stream())
        _write(on, rate, seconds)
        written = _await(reader, conn, before)
        reader.finish()
    began = min(written.values(), default=0.0) + _WARM_UP
    late = [
        1000 * (reader.seen[event] - at)
        for event, at in written.items()
        if at >= began and event in reader.seen
    ]
    cuts = quantiles(late, n=1000) if len(late) > 1 else [0.0] * 999
    return {
        "events": len(late),
        "written_per_s": round(len(written) / seconds),
        "p50_ms": round(cuts[499], 2),
        "p95_ms": round(cuts[949], 2),
        "p99_ms": round(cuts[989], 2),
        "max_ms": round(max(late, default=0.0), 2),
        "missing": len(written.keys() - reader.seen.keys()),
    }


def _write(on: Servers, rate: int, seconds: float) -> None:
    script = on.folder / "write.pgbench"
    script.write_text(_INSERT, encoding="ascii")
    command = [
        *(str(binaries.postgres_bin() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={script}"),
        *(f"--client={_WRITERS}", "--jobs=1", f"--rate={rate}", f"--time={round(seconds)}", on.database_url),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60)


def _await(reader: Reader, conn: psycopg.Connection[Any], before: int) -> dict[int, float]:
    """Every event that was written and when it was committed, once the reader has them, or should have."""
    written = dict(conn.execute(_COMMITTED, (before,)).fetchall())
    deadline = time.monotonic() + _GRACE
    while written.keys() - reader.seen.keys() and time.monotonic() < deadline:
        time.sleep(0.05)
    return written
