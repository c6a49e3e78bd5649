"""I7-I12 under random misfortunes: the bounded form of `python -m tests.torture.views`, another seed in every run."""

from __future__ import annotations

import random

import pytest

from runtime.settings import Settings
from tests.support.servers import TypesenseSettings
from tests.torture.views.machine import Plan, play

_STEPS = 30


def _plan() -> Plan:
    return Plan.of(random.SystemRandom().randrange(1 << 31), _STEPS)


@pytest.mark.slow
async def test_every_view_ends_as_the_truth(
    settings: Settings, typesense_settings: TypesenseSettings
) -> None:
    """The seed is in the failure: `python -m tests.torture.views --seed …` repeats its plan."""
    plan = _plan()
    try:
        done = await play(plan, settings, typesense_settings)
    except BaseException as failure:
        failure.add_note(f"plan: {plan}")
        raise
    assert len([step for step in done if step != "|"]) == _STEPS
