"""Digests of expected documents, made on all CPUs: what a word is takes more time than everything else of a comparison.

A comparison that is told to go slowly, or is small, does it by itself; the processes start with the first full page.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context

from consumers.engine.comparison import Item, digest_of
from consumers.search.expected import Row, expected
from consumers.search.schema import Kind


def digests(kind: Kind, rows: Sequence[Row]) -> list[Item]:
    """(key, digest) of the documents of these rows."""
    return [(row["id"], digest_of(expected(kind, row))) for row in rows]


class Crew:
    """Makes digests, alone or with helpers."""

    def __init__(self, helpers: ProcessPoolExecutor | None = None) -> None:
        self._helpers = helpers

    def begin(self, kind: Kind, rows: Sequence[Row], *, alone: bool) -> asyncio.Future[list[Item]]:
        """Start on some rows; await what it gives."""
        loop = asyncio.get_running_loop()
        if self._helpers is not None and not alone:
            return loop.run_in_executor(self._helpers, digests, kind, rows)
        done: asyncio.Future[list[Item]] = loop.create_future()
        done.set_result(digests(kind, rows))
        return done


@asynccontextmanager
async def crew(*, helped: bool) -> AsyncIterator[Crew]:
    """As many helpers as there are CPUs; none of them runs before it is needed. Fresh processes: ours has threads."""
    if not helped:
        yield Crew()
        return
    helpers = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
    try:
        yield Crew(helpers)
    finally:
        await asyncio.to_thread(helpers.shutdown, cancel_futures=True)
