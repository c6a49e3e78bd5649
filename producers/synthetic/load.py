"""Write a network into a database, table by table, in batches that may be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic

from producers import bulk
from producers.synthetic.network import Network
from producers.synthetic.table import Table
from runtime.postgres import Connection

BATCH = 2_000

#: Told after every batch: table, rows handled so far, rows expected.
Progress = Callable[[str, int, int], None]


@dataclass
class Loaded:
    """What was written."""

    written: dict[str, int] = field(default_factory=dict)
    present: int = 0
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """New rows of all tables."""
        return sum(self.written.values())

    @property
    def rows_per_second(self) -> float:
        """New rows per second, making them included."""
        return self.rows / self.seconds if self.seconds else 0.0


async def load(conn: Connection, network: Network, progress: Progress = lambda *_: None) -> Loaded:
    """Write everything; what is there already (by id) is left alone and counted as present.

    The connection must be in autocommit mode: each batch is a transaction of its own.
    """
    started, loaded = monotonic(), Loaded()
    for table in network.tables():
        await _load_table(conn, table, loaded, progress)
    loaded.seconds = monotonic() - started
    return loaded


async def _load_table(conn: Connection, table: Table, loaded: Loaded, progress: Progress) -> None:
    handled = written = 0
    rows = table.rows()
    while batch := list(islice(rows, BATCH)):
        fresh = await bulk.insert(conn, table.name, table.columns, batch)
        handled, written = handled + len(batch), written + fresh
        loaded.present += len(batch) - fresh
        progress(table.name, handled, table.expected)
    loaded.written[table.name] = written
