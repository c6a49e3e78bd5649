"""How fast the relay drains a backlog, against what reads the same backlog without its guarantees.

In each round the same committed transactions are read by (a) the relay, with all guarantees on, (b) an unguarded
Python loop, (c) pg_recvlogical to /dev/null, (d) Debezium's engine, where Java and its jars are installed; and a
backlog of the same form by (e) the relay in poll mode. Ratios are of medians over the rounds; absolute figures are
only this machine's. Redis writes its append-only file every second, and is not made to rewrite it in the middle.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import redis
from psycopg.conninfo import conninfo_to_dict

from app.bench import debezium
from app.bench.backlog import Backlog, calm_disk, drop_slots, make, make_slot
from app.bench.process import Drained, RelayProcess
from app.bench.servers import Servers
from app.stack import binaries

PUBLICATION: Final = "stunity_outbox"
_LOOP: Final = Path(__file__).resolve().parents[2] / "tests" / "benchmarks" / "unguarded_loop.py"
_LOOP_EVENTS: Final = 1000
_LOOP_BYTES: Final = 4 << 20
_CEILINGS: Final = ("loop", "wal", "debezium")


@dataclass(frozen=True, slots=True)
class Shape:
    """A backlog: so many events, in transactions of so many rows, each with about so many bytes of text."""

    events: int = 200_000
    rows: int = 1
    payload: int = 380

    def __str__(self) -> str:
        return f"{self.rows}_per_transaction_{self.payload}_bytes"


#: What else events come in: small and large bulk writes, long posts, files.
SUITE: Final = (
    Shape(rows=50),
    Shape(rows=5_000),
    Shape(rows=50_000),
    Shape(events=1_000_000, rows=1_000_000, payload=60),
    Shape(events=40_000, payload=4_000),
    Shape(events=1_000, payload=200_000),
)


@dataclass(slots=True)
class Samples:
    """Events per second of each reader, one figure per round, and what else the relay was seen to use."""

    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    drained: list[Drained] = field(default_factory=list)

    def add(self, reader: str, rate: float) -> None:
        """One more round of a reader."""
        self.rates[reader].append(rate)

    def result(self) -> dict[str, Any]:
        """Medians and ratios."""
        rate = {name: median(values) for name, values in self.rates.items()}
        ratios = {
            f"ratio_to_{name}": round(rate["relay"] / rate[name], 3) for name in _CEILINGS if name in rate
        }
        if "poll" in rate:
            ratios["ratio_poll_to_wal"] = round(rate["poll"] / rate["relay"], 3)
        return {
            "events_per_s": {name: round(value) for name, value in rate.items()},
            **ratios,
            "relay_peak_memory_mb": round(max(one.peak_memory_mb for one in self.drained), 1),
            "relay_steady_memory_mb": round(max(one.steady_memory_mb for one in self.drained), 1),
            "redis_commands_per_event": round(median(one.commands_per_event for one in self.drained), 5),
            "bytes_per_entry": round(median(one.bytes_per_entry for one in self.drained)),
            "rounds": len(self.drained),
        }


def measure(
    on: Servers, *, mode: str, shape: Shape, rounds: int, say: Callable[[str], None], suite: bool = False
) -> dict[str, Any]:
    """Run the rounds.

    Args:
        on: fresh servers.
        mode: the relay's mode, wal or poll; with wal, poll is measured beside it.
        shape: the backlog.
        rounds: how often; the medians count.
        say: called with a line of progress.
        suite: each shape of SUITE as well, once.
    """
    with redis.Redis.from_url(on.redis_url) as client:
        client.config_set("auto-aof-rewrite-percentage", 0)
    skipped = debezium.missing()
    samples = Samples()
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}: {shape.events:,} events in transactions of {shape.rows}")
        _round(on, mode, shape, samples, yardsticks=_CEILINGS if not skipped else _CEILINGS[:2])
        if mode == "wal":
            samples.add("poll", _drain(on, "poll", shape).events_per_s)
    result = samples.result() | ({"debezium_skipped": skipped} if skipped else {})
    return result | ({"shapes": _suite(on, mode, say)} if suite else {})


def _suite(on: Servers, mode: str, say: Callable[[str], None]) -> dict[str, Any]:
    found = {}
    for shape in SUITE:
        say(f"{shape.events:,} events of {shape.payload:,} bytes in transactions of {shape.rows:,}")
        samples = Samples()
        _round(on, mode, shape, samples, yardsticks=("loop", "wal"))
        found[str(shape)] = samples.result()
    return found


def _round(on: Servers, mode: str, shape: Shape, samples: Samples, *, yardsticks: tuple[str, ...]) -> None:
    """The same backlog through the relay and through each yardstick; who comes first changes from round to round."""
    relay = RelayProcess(on, mode)
    relay.settle()  # its epoch and slot exist before the backlog does
    for reader in yardsticks:
        make_slot(on.database_url, f"bench_{reader}")
    backlog = _make(on, shape)
    readers = ("relay", *yardsticks)
    first = len(samples.drained) % len(readers)
    for reader in (*readers[first:], *readers[:first]):
        calm_disk(on.database_url)
        if reader == "relay":
            drained = relay.drain(backlog)
            samples.drained.append(drained)
            samples.add("relay", drained.events_per_s)
        else:
            samples.add(reader, _READERS[reader](on, backlog, shape))
    drop_slots(on.database_url, "bench_")


def _drain(on: Servers, mode: str, shape: Shape) -> Drained:
    relay = RelayProcess(on, mode)
    relay.settle()
    backlog = _make(on, shape)
    calm_disk(on.database_url)
    return relay.drain(backlog)


def _make(on: Servers, shape: Shape) -> Backlog:
    transactions = shape.events // shape.rows
    return make(on.database_url, transactions=transactions, rows=shape.rows, payload=shape.payload)


def _debezium(on: Servers, backlog: Backlog, _: Shape) -> float:
    rate = debezium.drain(on, "bench_debezium", PUBLICATION, backlog)
    with redis.Redis.from_url(on.redis_url) as client:
        client.delete(*client.keys("bench:*"))
    return rate


def _loop(on: Servers, backlog: Backlog, shape: Shape) -> float:
    size = max(1, min(_LOOP_EVENTS, _LOOP_BYTES // shape.payload))
    arguments = [on.database_url, on.redis_url, "bench_loop", PUBLICATION, str(backlog.end), str(size)]
    done = subprocess.run(
        [sys.executable, str(_LOOP), *arguments], check=True, capture_output=True, text=True, timeout=300
    )
    with redis.Redis.from_url(on.redis_url) as client:
        client.delete("bench:unguarded")
    return float(done.stdout)


def _recvlogical(on: Servers, backlog: Backlog, _: Shape) -> float:
    where = conninfo_to_dict(on.database_url)
    end = f"{backlog.end >> 32:X}/{backlog.end & 0xFFFFFFFF:X}"
    command = [
        str(binaries.postgres_bin() / "pg_recvlogical"),
        *("--host", str(where["host"]), "--port", str(where["port"]), "--username", str(where["user"])),
        *(
            "--dbname",
            str(where["dbname"]),
            "--slot",
            "bench_wal",
            "--start",
            "--no-loop",
            "--file",
            "/dev/null",
        ),
        *("--endpos", end, "--option", "proto_version=1", "--option", f"publication_names={PUBLICATION}"),
    ]
    started = time.perf_counter()
    subprocess.run(
        command, check=True, capture_output=True, timeout=300, env={"PGPASSWORD": str(where["password"])}
    )
    return backlog.events / (time.perf_counter() - started)


_READERS: Final[dict[str, Callable[[Servers, Backlog, Shape], float]]] = {
    "loop": _loop,
    "wal": _recvlogical,
    "debezium": _debezium,
}
