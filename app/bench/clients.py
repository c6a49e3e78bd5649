"""So many clients that repeat one transaction: pgbench for SQL, processes of our own for Python's `append`.

Both give the latency of every transaction, because a mean hides what a user waits for. What is compared with what is
`capture.py`. Run as a module this file is one of those processes.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

import psutil
from psycopg.conninfo import conninfo_to_dict

from app.stack import binaries
from outbox.append import append
from runtime.postgres import connect
from schemas.envelope import NewEvent

_TPS: Final = re.compile(r"tps = ([0-9.]+)")
_INSERT: Final = """
INSERT INTO posts (id, "authorId", "schoolId", title, content, "topicTags", visibility, "updatedAt")
VALUES (%s, 'bench-author', 'bench-school', 'How rivers carry stones', %s, '{rivers,geography}', 'SCHOOL', now())
RETURNING id, "authorId", "schoolId", title, content, "topicTags", visibility::text, "isPinned",
          to_char("createdAt", 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "createdAt"
"""
_CONTENT: Final = "How rivers carry stones, sand and mud to the sea, and what they build there. " * 4


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients reached."""

    tps: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, tps: float, milliseconds: list[float]) -> Load:
        """From the latency of every transaction."""
        cuts = quantiles(milliseconds, n=100)
        return cls(tps, cuts[49], cuts[98])


def pgbench(url: str, script: str, *, clients: int, seconds: float) -> Load:
    """Repeat a pgbench script with prepared statements."""
    where = conninfo_to_dict(url)
    with tempfile.TemporaryDirectory(prefix="stunity-pgbench-") as folder:
        file = Path(folder) / "script.sql"
        file.write_text(script, encoding="utf-8")
        command = [
            *(str(binaries.postgres_bin() / "pgbench"), "--no-vacuum", "--protocol=prepared", "--log"),
            *(f"--client={clients}", f"--jobs={min(clients, _CORES)}", f"--time={max(round(seconds), 1)}"),
            *(f"--log-prefix={folder}/log", f"--file={file}", f"--host={where['host']}"),
            *(f"--port={where['port']}", f"--username={where['user']}", str(where["dbname"])),
        ]
        environment = {"PGPASSWORD": str(where["password"])}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        lines = [line for log in Path(folder).glob("log*") for line in log.read_text().splitlines()]
    found = _TPS.search(done.stdout)
    if found is None:
        raise RuntimeError(f"pgbench says nothing: {done.stdout}")
    return Load.of(float(found[1]), [int(line.split()[2]) / 1000 for line in lines])


def python(url: str, *, with_append: bool, clients: int, seconds: float) -> Load:
    """The same insert from Python applications, as many processes as there are cores."""
    processes = min(clients, _CORES)
    share = [clients // processes + (number < clients % processes) for number in range(processes)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", __name__, url, str(one), str(seconds), str(int(with_append))],
            stdout=subprocess.PIPE,
            text=True,
        )
        for one in share
    ]
    told: list[dict[str, Any]] = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    return Load.of(sum(one["tps"] for one in told), [ms for one in told for ms in one["ms"]])


async def _clients(url: str, clients: int, seconds: float, with_append: bool) -> dict[str, Any]:
    samples: list[float] = []
    ready = asyncio.Barrier(clients)
    took = await asyncio.gather(*(_client(url, seconds, with_append, samples, ready) for _ in range(clients)))
    return {"tps": len(samples) / max(took), "ms": samples}


async def _client(
    url: str, seconds: float, with_append: bool, samples: list[float], ready: asyncio.Barrier
) -> float:
    async with connect(url, autocommit=True, name="bench-append") as conn:
        await ready.wait()
        begun = time.perf_counter()
        while (started := time.perf_counter()) < begun + seconds:
            post = str(uuid4())
            async with conn.transaction():
                row = await (await conn.execute(_INSERT, (post, _CONTENT))).fetchone()
                if with_append and row is not None:
                    await append(conn, NewEvent("post.created", post, dict(zip(_COLUMNS, row, strict=True))))
            samples.append(1000 * (time.perf_counter() - started))
        return time.perf_counter() - begun


_CORES: Final = psutil.cpu_count() or 1
_COLUMNS: Final = (
    *("id", "authorId", "schoolId", "title", "content", "topicTags", "visibility", "isPinned", "createdAt"),
)

if __name__ == "__main__":
    _URL, _CLIENTS, _SECONDS, _APPEND = sys.argv[1:]
    _TOLD = asyncio.run(_clients(_URL, int(_CLIENTS), float(_SECONDS), _APPEND == "1"))
    sys.stdout.write(json.dumps(_TOLD))
