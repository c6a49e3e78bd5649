"""Waiting longer and longer, never in step with others, and not a moment longer than the process is wanted."""

from __future__ import annotations

import random
import threading

from outbox.relay.errors import Stopping


class Backoff:
    """Exponential with full jitter."""

    def __init__(self, stop: threading.Event, longest: float, shortest: float = 0.05) -> None:
        self._stop = stop
        self._longest = longest
        self._shortest = shortest
        self.attempts = 0

    def wait(self) -> None:
        """Pause.

        Raises:
            Stopping: the process is to end.
        """
        ceiling = min(self._longest, self._shortest * 2.0**self.attempts)
        self.attempts += 1
        if self._stop.wait(random.uniform(ceiling / 2, ceiling)):  # noqa: S311 (jitter, not a secret)
            raise Stopping

    def reset(self) -> None:
        """It worked: the next failure starts anew."""
        self.attempts = 0
