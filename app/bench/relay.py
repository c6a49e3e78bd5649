"""How fast the relay drains a backlog, against what reads the same backlog without its guarantees.

In each round the same committed transactions are read by (a) the relay, with all guarantees on, (b) an unguarded
Python loop, (c) pg_recvlogical to /dev/null, (d) Debezium's engine, where Java and its jars are installed. The
ratios are of medians over the rounds; absolute figures are only this machine's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import redis
from psycopg.conninfo import conninfo_to_dict

from app.bench import debezium
from app.bench.backlog import Backlog, drop_slots, make, make_slot
from app.bench.process import RelayProcess
from app.bench.servers import Servers
from app.stack import binaries

PUBLICATION: Final = "stunity_outbox"
_LOOP: Final = Path(__file__).resolve().parents[2] / "tests" / "benchmarks" / "unguarded_loop.py"


@dataclass(slots=True)
class Samples:
    """Events per second of each reader, one figure per round."""

    relay: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)
    debezium: list[float] = field(default_factory=list)
    memory_mb: float = 0.0

    def result(self) -> dict[str, Any]:
        """Medians and ratios."""
        rate = {
            name: median(getattr(self, name))
            for name in ("relay", "loop", "wal", "debezium")
            if getattr(self, name)
        }
        ratios = {
            f"ratio_to_{name}": round(rate["relay"] / rate[name], 3) for name in rate if name != "relay"
        }
        return {
            "events_per_s": {name: round(value) for name, value in rate.items()},
            **ratios,
            "relay_peak_memory_mb": round(self.memory_mb, 1),
            "rounds": len(self.relay),
        }


def measure(
    on: Servers, *, mode: str, events: int, rows: int, payload: int, rounds: int, say: Any
) -> dict[str, Any]:
    """Run the rounds.

    Args:
        on: fresh servers.
        mode: the relay's mode, wal or poll.
        events: size of the backlog.
        rows: events per transaction.
        payload: rough bytes of text per event.
        rounds: how often; the medians count.
        say: called with a line of progress.
    """
    samples = Samples()
    skipped = debezium.missing()
    for number in range(1, rounds + 1):
        RelayProcess(on, mode).settle()  # its epoch and slot exist before the backlog does
        for reader in ("bench_loop", "bench_wal", "bench_debezium"):
            make_slot(on.database_url, reader)
        say(f"round {number} of {rounds}: {events:,} events in transactions of {rows}")
        backlog = make(on.database_url, transactions=events // rows, rows=rows, payload=payload)
        relay = RelayProcess(on, mode)
        samples.relay.append(relay.drain(backlog))
        samples.memory_mb = max(samples.memory_mb, relay.peak_memory_mb)
        samples.loop.append(_loop(on, backlog))
        samples.wal.append(_recvlogical(on, backlog))
        if not skipped:
            samples.debezium.append(debezium.drain(on, "bench_debezium", PUBLICATION, backlog))
        drop_slots(on.database_url, "bench_")
    return samples.result() | ({"debezium_skipped": skipped} if skipped else {})


def _loop(on: Servers, backlog: Backlog) -> float:
    arguments = [on.database_url, on.redis_url, "bench_loop", PUBLICATION, str(backlog.end)]
    done = subprocess.run(
        [sys.executable, str(_LOOP), *arguments], check=True, capture_output=True, text=True, timeout=300
    )
    with redis.Redis.from_url(on.redis_url) as client:
        client.delete("bench:unguarded")
    return float(done.stdout)


def _recvlogical(on: Servers, backlog: Backlog) -> float:
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
