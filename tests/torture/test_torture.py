"""I1, I2, I6, I6b under kill -9: the bounded form of `make torture`, with another seed in every run."""

from __future__ import annotations

import random

import pytest

from tests.torture.relays import nursery
from tests.torture.rounds import Kills, Round, Torturer

_KILLS = 15


@pytest.mark.slow
@pytest.mark.parametrize("plan", [("wal", False), ("poll", False), ("wal", True)])
def test_a_round(plan: tuple[str, bool], database: str, redis_url: str) -> None:
    """The seed is in the failure: `python -m tests.torture --mode … --seed …` repeats its plan."""
    mode, switching = plan
    planned = Round(mode, random.SystemRandom().randrange(1 << 31), kills=_KILLS, switching=switching)
    counts = Kills()
    with nursery() as relays:
        try:
            verdict = Torturer(planned, relays, database, redis_url, counts).run()
        except AssertionError as broken:
            broken.add_note(f"round: {planned}")
            raise
    assert sum(counts.by_mode.values()) == _KILLS
    assert verdict.events > 100
