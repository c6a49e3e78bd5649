"""How far behind its own steps the relay confirms (I3). Pure.

What Redis has acknowledged it may still lose: the last second of an append-only file, everything since the last RDB
file, whatever had not reached a replica. PostgreSQL therefore hears of a position only when it is older than so many
seconds *and* so many bytes; until then the WAL (or the stored rounds) can fill Redis up again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from outbox.relay.position import Position

_GRAINS = 64
_AT_MOST = 8 * _GRAINS


@dataclass(frozen=True, slots=True)
class Step:
    """At `time` Redis had everything up to `point` (an LSN, a round); its partitions stood at `progress`."""

    point: int
    #: Bytes that lie before it: the LSN itself, or what has been sent in all rounds.
    mass: int
    time: float
    progress: tuple[Position, ...]


class Trail:
    """Steps from the one that is confirmed to the newest; never more than a few hundred of them."""

    def __init__(self, seconds: float, mass: int) -> None:
        self._seconds = seconds
        self._mass = mass
        self._steps: list[Step] = []

    def add(self, step: Step) -> None:
        """Redis has come this far; steps in close succession melt into one."""
        steps = self._steps
        if steps and step.point < steps[-1].point:
            raise ValueError(f"the trail goes back from {steps[-1].point} to {step.point}")
        if len(steps) >= 2 and self._close(steps[-2], steps[-1]):
            steps.pop()
        steps.append(step)
        if len(steps) > _AT_MOST:
            steps[1:-1] = steps[1:-1:2]

    def confirmable(self, now: float) -> Step | None:
        """The newest step that is old enough, None when there is none; older ones are forgotten."""
        steps = self._steps
        ripe = sum(1 for step in steps if self._is_old(step, now) and self._is_far(step.mass))
        if not ripe:
            return None
        del steps[: ripe - 1]
        return self._between(steps[0], steps[1], now) if len(steps) > 1 else steps[0]

    def _between(self, ripe: Step, following: Step, now: float) -> Step:
        """Where no entry lies between two steps of the WAL, every place between them is as good as a step.

        Otherwise the WAL of one large load would be kept until something else is written.
        """
        is_lsn = following.point == following.mass
        if not is_lsn or following.progress != ripe.progress or not self._is_old(following, now):
            return ripe
        place = max(ripe.point, min(following.point, self._steps[-1].mass - self._mass))
        return replace(ripe, point=place, mass=place)

    def _close(self, earlier: Step, later: Step) -> bool:
        """Whether the later one adds too little to be kept once there is a newer one."""
        near = later.time - earlier.time <= self._seconds / _GRAINS
        return near and later.mass - earlier.mass <= self._mass // _GRAINS

    def _is_old(self, step: Step, now: float) -> bool:
        return step.time <= now - self._seconds

    def _is_far(self, mass: int) -> bool:
        return mass <= self._steps[-1].mass - self._mass
