"""Rows to documents for a whole index: on all cores, because mapping costs more than Typesense's own work on them.

What becomes of a row is `mapping.py`, here as everywhere. Processes are started, not forked: this one has threads and
connections. A few thousand rows are mapped here, without waiting for processes to start.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from consumers.search.lines import line_of
from consumers.search.mapping import document
from consumers.search.schema import Kind

#: Fewer rows are mapped sooner than processes have started.
WORTH_PROCESSES: Final = 10_000
_MOST_PROCESSES: Final = 8
_NICE: Final = 5

Rows = Sequence[Mapping[str, Any]]
#: Rows of one kind to documents as JSON lines.
Mapper = Callable[[Kind, Rows, int], Awaitable[list[bytes]]]


def lines(kind: Kind, rows: Rows, generation: int) -> list[bytes]:
    """The documents of those rows that somebody may find, as JSON lines."""
    return [line_of({**one, "_gen": generation}) for row in rows if (one := document(kind, row)) is not None]


@contextmanager
def mapper(rows: int) -> Iterator[Mapper]:
    """Something that maps, for about so many rows in all."""
    if rows < WORTH_PROCESSES:
        yield _here
        return
    count = min(os.cpu_count() or 1, _MOST_PROCESSES)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_begin) as pool:
        started = [pool.submit(os.getpid) for _ in range(count)]
        try:
            yield partial(_there, pool, started)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Typesense, which everything waits for in the end, goes first where both want a core."""
    os.nice(_NICE)
    _end_with_parent()


def _end_with_parent() -> None:
    """A rebuild that is killed leaves no processes behind: they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this runs in a child

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


async def _here(kind: Kind, rows: Rows, generation: int) -> list[bytes]:
    return lines(kind, rows, generation)


async def _there(
    pool: ProcessPoolExecutor, started: Sequence[Future[int]], kind: Kind, rows: Rows, generation: int
) -> list[bytes]:
    """Typesense does not wait for the first of them to start: until then rows are mapped here."""
    if not _has_begun(started):
        return lines(kind, rows, generation)
    return await asyncio.get_running_loop().run_in_executor(pool, lines, kind, rows, generation)


def _has_begun(started: Sequence[Future[int]]) -> bool:
    """Whether one of the processes has done something."""
    return any(one.done() for one in started)
