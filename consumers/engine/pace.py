"""A bound on how fast long work reads, so that what people wait for keeps its latency."""

from __future__ import annotations

import asyncio
from time import monotonic


class Pace:
    """So many units per second at most, on average; None is no bound."""

    def __init__(self, per_second: float | None = None) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    @property
    def is_bound(self) -> bool:
        """Whether there is a bound."""
        return self._per_second is not None

    async def spend(self, units: int) -> None:
        """Wait until so many more are within the bound."""
        if self._per_second is None:
            return
        now = monotonic()
        self._free_at = max(self._free_at, now) + units / self._per_second
        await asyncio.sleep(self._free_at - now)
