"""Cutting the streams' old ends: never above what the slowest consumer has in its view, with a cap on memory.

All ids of a partition come from one source, so one position serves all its streams, also those that nobody reads. It
is the one noted at the trim before: what was applied meanwhile stays until the next, for consumers that join. Past
the cap the slowest is sent to the log instead (I10), as is one that has been silent for long. Every consumer asks;
the first by name of those that are alive does it. Streams of finished epochs end by themselves, the relay sees to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from consumers.engine.checkpoint import Checkpoint
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.positions import StreamId
from consumers.engine.stream import Streams, partition_of
from runtime.redis import TRANSIENT as REDIS_AWAY
from runtime.statements import load

log = structlog.get_logger(__name__)

_SQL: Final = load(Path(__file__).parent / "sql" / "trimming.sql")


class Trimmer:
    """Trims for all consumers when it is this one's turn."""

    def __init__(self, consumer: str, source: Log, streams: Streams, options: Options) -> None:
        self._consumer = consumer
        self._log = source
        self._streams = streams
        self._options = options
        self._due_at = monotonic() + options.trim
        self._noted: tuple[int, dict[int, StreamId]] = (0, {})
        self._trimmed: tuple[int, dict[int, StreamId]] = (0, {})

    async def trim_if_due(self, epoch: int) -> None:
        """Trim the streams of this epoch up to the positions noted before, and note the present ones.

        Raises:
            Retryable: PostgreSQL is away.
        """
        if monotonic() < self._due_at:
            return
        self._due_at = monotonic() + self._options.trim
        async with self._log.connection() as conn:
            rows = await (await conn.execute(_SQL["followers"], {"epoch": epoch})).fetchall()
        if not rows or rows[0][0] != self._consumer:
            return
        noted_in, upto = self._noted
        self._noted = epoch, slowest(Checkpoint.load(row[1]) for row in rows)
        if noted_in != epoch or self._trimmed == (epoch, upto):
            return  # nothing was applied since the last time: Redis need not be asked
        try:
            removed = await self._streams.trim(epoch, upto, self._options.stream_cap)
        except REDIS_AWAY as error:
            log.debug("streams_unreachable", consumer=self._consumer, error=str(error))
            return
        self._trimmed = epoch, upto
        log.debug("streams_trimmed", consumer=self._consumer, removed=removed)


def slowest(checkpoints: Iterable[Checkpoint]) -> dict[int, StreamId]:
    """Per partition, the position that every one of these views has reached on each of its streams."""
    reached: dict[int, StreamId] = {}
    for checkpoint in checkpoints:
        for key, state in checkpoint.streams.items():
            partition = partition_of(key)
            reached[partition] = min(reached.get(partition, state.id), state.id)
    return reached
