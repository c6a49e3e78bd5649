"""How far behind its own steps the relay confirms (I3). Pure.

What Redis has acknowledged it may still lose: the last second of an append-only file, everything since the last RDB
file, whatever had not reached a replica. PostgreSQL therefore hears of a position only when it is older than so many
seconds *and* so many bytes; until then the WAL (or the stored rounds) can fill Redis up again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from outbox.relay.position import Position

_GRAINS = 64
_MIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Step:
    """At `time` Redis had everything up to `point` (an LSN, a round); its partitions stood at `progress`."""

    point: int
    #: Bytes that lie before it: the LSN itself, or what has been sent in all rounds.
    mass: int
    time: float
    progress: tuple[Position, ...]


class Trail:
    """Steps from the one that is confirmed to the newest; at most a few hundred of them."""

    def __init__(self, seconds: float, mass: int) -> None:
        self._seconds = seconds
        self._mass = mass
        self._grain_seconds = max(seconds / _GRAINS, _MIN_SECONDS if seconds else 0.0)
        self._grain_mass = mass // _GRAINS
        self._steps: deque[Step] = deque()

    def add(self, step: Step) -> None:
        """Redis has come this far; steps in close succession melt into one."""
        steps = self._steps
        if steps and step.point < steps[-1].point:
            raise ValueError(f"the trail goes back from {steps[-1].point} to {step.point}")
        if len(steps) >= 2 and self._close(steps[-2], steps[-1]):
            steps.pop()
        steps.append(step)

    def confirmable(self, now: float) -> Step | None:
        """The newest step that is old enough, None when there is none; older ones are forgotten."""
        if not self._steps:
            return None
        newest = self._steps[-1].mass
        while len(self._steps) >= 2 and self._ripe(self._steps[1], now, newest):
            self._steps.popleft()
        return self._steps[0] if self._ripe(self._steps[0], now, newest) else None

    def _close(self, earlier: Step, later: Step) -> bool:
        """Whether the later one adds too little to be kept once there is a newer one."""
        return later.time - earlier.time < self._grain_seconds or later.mass - earlier.mass < self._grain_mass

    def _ripe(self, step: Step, now: float, newest: int) -> bool:
        return step.time <= now - self._seconds and step.mass <= newest - self._mass
