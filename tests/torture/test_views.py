"""I7-I12 under random misfortunes, the bounded form of `make torture-views`: two plans with every step."""

from __future__ import annotations

import pytest

from runtime.settings import Settings
from tests.support.servers import TypesenseSettings
from tests.torture.views.machine import play
from tests.torture.views.plan import Plan

_STEPS = 40


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4266, 15320])
async def test_every_view_ends_as_the_truth(
    seed: int, settings: Settings, typesense_settings: TypesenseSettings
) -> None:
    """The plan is in the failure: `python -m tests.torture.views --seed … --only …` repeats it.

    How the steps meet is left to the clock; new seeds are for `make torture-views`, which takes its time.
    """
    plan = Plan.of(seed, _STEPS, rebuilds=True)
    try:
        done = await play(plan, settings, typesense_settings)
    except BaseException as failure:
        failure.add_note(f"plan: {plan}")
        raise
    assert len([step for step in done if step != "|"]) == _STEPS
