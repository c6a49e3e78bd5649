"""Named places where a relay can be made to die: what a crash test needs, and nobody else.

`STUNITY_FAILPOINT=after_publish:3` ends the process with SIGKILL when it passes `after_publish` for the third time. Not
a setting: it is read by `stunity relay` alone, once, and unset it costs a call of an empty function a few times per
batch. A step is named where it happens, by `on_step`; this file only lists the names and carries out the sentence.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final, Literal, get_args

from runtime.errors import ConfigurationError

VARIABLE: Final = "STUNITY_FAILPOINT"

#: In the order of a session.
Step = Literal[
    # opening: epoch, fence, old streams, fill
    "before_epoch",
    "slot_created",
    "epoch_begun",
    "fence_claimed",
    "streams_seized",
    "gap_told",
    "epoch_ended",
    "before_fill",
    "after_fill",
    "fill_noted",
    "started",
    # the loop
    "before_round",
    "round_stored",
    "after_read",
    "before_publish",
    "between_partitions",
    "after_publish",
    "acknowledged",
    "before_marker",
    "after_marker",
    "before_save",
    "after_save",
    "before_confirm",
    "after_confirm",
    "before_sleep",
    # the end
    "stopping",
    "stopped",
]
STEPS: Final[tuple[Step, ...]] = get_args(Step)

OnStep = Callable[[Step], None]


def no_step(_: Step) -> None:
    """Nothing happens at the named steps of a relay in production."""


def from_environment() -> OnStep:
    """What the process is to do at its steps.

    Raises:
        ConfigurationError: the variable names no step.
    """
    text = os.environ.get(VARIABLE)
    return Failpoint(text) if text else no_step


class Failpoint:
    """`step` or `step:nth`; counts how often the step is passed."""

    def __init__(self, text: str) -> None:
        name, _, nth = text.partition(":")
        if name not in STEPS or not (nth or "1").isdecimal():
            raise ConfigurationError(f"{VARIABLE}={text}: known steps are {', '.join(STEPS)}")
        self._name = name
        self._left = int(nth or "1")

    def __call__(self, step: Step) -> None:
        """The relay is at this step."""
        if step != self._name:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # the signal is on its way: not one instruction of the relay more
