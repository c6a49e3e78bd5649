"""For how long the reader of our slot has said nothing, by our own clock.

PostgreSQL shows when the reader last spoke, but by the *reader's* clock: against the server's, a machine whose clock is
a few seconds behind would always look dead, and every successor would end it. So we look twice, and time what we see.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Silence:
    """Remembers what was last seen; shared by the sessions of a process that stands by."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: tuple[int, float] | None = None
        self._since = 0.0

    def of(self, pid: int, said_at: float) -> float:
        """Seconds since the backend `pid` was first seen with this time of its last word."""
        now = self._clock()
        if self._seen != (pid, said_at):
            self._seen, self._since = (pid, said_at), now
        return now - self._since
