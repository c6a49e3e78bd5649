"""Rows to documents for a whole index: on all cores, because mapping costs more than Typesense's own work on them.

What becomes of a row is `mapping.py`, here as everywhere. Processes are started, not forked: this one has threads and
connections. A few thousand rows are mapped here, without waiting for processes to start.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Final

from consumers.search.lines import line_of
from consumers.search.mapping import document
from consumers.search.schema import Kind
from runtime import garbage

#: Fewer rows are mapped sooner than processes have started.
WORTH_PROCESSES: Final = 10_000
_MOST_PROCESSES: Final = 8
_NICE: Final = 5

Rows = Sequence[Mapping[str, Any]]
#: Documents as JSON lines, one for each row; None where nobody may find it.
Lines = list[bytes | None]


def lines(kind: Kind, rows: Rows, generation: int) -> Lines:
    """What becomes of these rows, with the generation of whoever writes it."""
    made = (document(kind, row) for row in rows)
    return [None if one is None else line_of({**one, "_gen": generation}) for one in made]


class Mapper:
    """Makes lines of rows: here, and on processes of its own while many are expected."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._started: list[Future[int]] = []

    def expect(self, rows: int) -> None:
        """Have processes if that pays for so many rows to come, and else none."""
        if rows < WORTH_PROCESSES:
            self.close()
        elif self._pool is None:
            count = min(os.cpu_count() or 1, _MOST_PROCESSES)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
            self._started = [self._pool.submit(os.getpid) for _ in range(count)]

    async def lines(self, kind: Kind, rows: Rows, generation: int) -> Lines:
        """See `lines`. Nobody waits for the first of the processes to start: until then rows are mapped here."""
        if self._pool is None or not _has_begun(self._started):
            return lines(kind, rows, generation)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lines, kind, rows, generation)

    def close(self) -> None:
        """End the processes, if there are any."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """Typesense, which everything waits for in the end, goes first where both want a core."""
    os.nice(_NICE)
    garbage.settle()
    _end_with_parent()


def _end_with_parent() -> None:
    """A rebuild that is killed leaves no processes behind: they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this runs in a child

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _has_begun(started: Sequence[Future[int]]) -> bool:
    """Whether one of the processes has done something."""
    return any(one.done() for one in started)
