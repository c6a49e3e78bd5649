"""The named steps of a rebuild, in order: where progress is told, and where tests let the process die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

Step = Literal[
    "registered",
    "prepared",
    "filling",
    "filled",
    "completed",
    "following",
    "checked",
    "before_switch",
    "switch_noted",
    "caught_up",
    "fenced",
    "exchanged",
    "switched",
]
STEPS: Final[tuple[Step, ...]] = get_args(Step)

OnStep = Callable[[Step], None]


def no_step(_: Step) -> None:
    """Nothing happens at the named steps in production."""
