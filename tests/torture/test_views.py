"""I7-I12 under random misfortunes, the bounded form of `make torture-views`: plans with every step, and another one."""

from __future__ import annotations

import random

import pytest

from runtime.settings import Settings
from tests.support.servers import TypesenseSettings
from tests.torture.views.machine import play
from tests.torture.views.plan import Plan

_STEPS = 40


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4266, 15320, None], ids=["all steps", "all otherwise", "another seed"])
async def test_every_view_ends_as_the_truth(
    seed: int | None, settings: Settings, typesense_settings: TypesenseSettings
) -> None:
    """The plan is in the failure: `python -m tests.torture.views --seed … --only …` repeats it."""
    chosen = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    plan = Plan.of(chosen, _STEPS, rebuilds=True)
    try:
        done = await play(plan, settings, typesense_settings)
    except BaseException as failure:
        failure.add_note(f"plan: {plan}")
        raise
    assert len([step for step in done if step != "|"]) == _STEPS
