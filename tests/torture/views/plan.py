"""A plan is a seed and the numbers of its steps; the same plan does the same things, as far as the clock lets it.

Each step draws from dice of its own (seed and number), so that leaving steps out of a plan does not change the others:
that is what makes a failing plan shorter (`shrunk`). What the steps do is `machine.py`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: `python -m tests.torture.views --seed S --steps N [--only 3,7,…]` repeats it."""

    seed: int
    steps: tuple[int, ...]
    rebuilds: bool = False

    @classmethod
    def of(cls, seed: int, steps: int, *, rebuilds: bool = False) -> Plan:
        """All steps of a seed."""
        return cls(seed, tuple(range(steps)), rebuilds)

    def __str__(self) -> str:
        return f"--seed {self.seed} --only {','.join(map(str, self.steps))}{' --rebuilds' if self.rebuilds else ''}"


async def shrunk(plan: Plan, fails: Callable[[Plan], Awaitable[bool]], attempts: int = 40) -> Plan:
    """A shorter plan that fails as well: parts are left out as long as that goes, halves first."""
    size = max(len(plan.steps) // 2, 1)
    while attempts > 0 and len(plan.steps) > 1:
        for start in range(0, len(plan.steps), size):
            shorter = replace(plan, steps=plan.steps[:start] + plan.steps[start + size :])
            attempts -= 1
            if shorter.steps and await fails(shorter):
                plan = shorter
                break
            if attempts <= 0:
                break
        else:
            if size == 1:
                break
            size = max(size // 2, 1)
    return plan
