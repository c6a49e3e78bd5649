"""What a benchmark of reads runs on: its servers, our processes as in production, and when these are ready."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from app.bench.servers import SearchServers, Servers
from app.stack.ours import Api, OurProcess
from app.stack.ports import HOST, free_ports
from app.stack.process import Process
from runtime.postgres import Connection, fetch_rows

_PATIENCE: Final = 1_800.0
_PUBLISHED_SQL: Final = """
SELECT (SELECT bool_and(pg_visible_in_snapshot(xid, marker_snapshot::pg_snapshot)) FROM outbox.events)
  FROM outbox.relay_state ORDER BY epoch DESC LIMIT 1
"""
_LIVE_SQL: Final = "SELECT count(*) FROM engine.checkpoints WHERE consumer = %s AND state = 'live'"


class NotReady(Exception):
    """A part of us did not come to rest in time."""


class Stage:
    """Servers, secret and environment of one run."""

    def __init__(self, on: Servers | SearchServers) -> None:
        self.on = on
        self.secret = secrets.token_hex(32)

    def environment(self, *, without: str | None = None) -> dict[str, str]:
        """What our processes are told; nothing of the service whose settings begin like this."""
        stores = self.on.environment.items()
        return {
            **{name: value for name, value in stores if not (without and name.startswith(without))},
            "JWT_SECRET": self.secret,
            "RATE_LIMIT_READS": "0",
            "EMBEDDING_BACKEND": "none",
            "LOG_LEVEL": "ERROR",
        }

    @contextmanager
    def process(self, *arguments: str) -> Iterator[None]:
        """One of our commands, running."""
        with _running(OurProcess(arguments[-1], arguments, self.on.folder / "logs", self.environment())):
            yield

    @contextmanager
    def api(self, *, without: str | None = None) -> Iterator[str]:
        """An API process of its own; its address."""
        [port] = free_ports(1)
        arguments = ("api", "--host", HOST, "--port", str(port))
        environment: Mapping[str, str] = self.environment(without=without)
        with _running(Api("api", arguments, self.on.folder / "logs", environment, port)):
            yield f"http://{HOST}:{port}"


@contextmanager
def _running(server: OurProcess) -> Iterator[None]:
    process = Process(server)
    process.start()
    try:
        process.wait_ready()
        yield
    finally:
        process.stop()


async def relay_idle(conn: Connection) -> None:
    """Until the relay has told of everything: a fill does not need it, and it would take its share of the cores.

    Raises:
        NotReady: it takes too long.
    """
    deadline = perf_counter() + _PATIENCE
    while await fetch_rows(conn, _PUBLISHED_SQL) != [(True,)]:
        if perf_counter() > deadline:
            raise NotReady(f"the relay is not idle after {_PATIENCE:.0f} s")
        await asyncio.sleep(0.5)


async def is_live(conn: Connection, consumer: str) -> bool:
    """Whether reads may be answered from the view of this consumer."""
    return bool((await fetch_rows(conn, _LIVE_SQL, (consumer,)))[0][0])


async def live(conn: Connection, consumer: str) -> None:
    """Until they may.

    Raises:
        NotReady: it takes too long.
    """
    deadline = perf_counter() + _PATIENCE
    while not await is_live(conn, consumer):
        if perf_counter() > deadline:
            raise NotReady(f"{consumer} is not live after {_PATIENCE:.0f} s")
        await asyncio.sleep(0.1)
