"""A rebuild that is killed while it switches: readers see the old view or the new one, both whole."""

from __future__ import annotations

import pytest

from consumers.engine.rebuild.steps import STEPS, Step
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open
from tests.integration.rebuild.killing import kill_and_go_on
from tests.support.network import Network


@pytest.mark.parametrize("step", STEPS[STEPS.index("before_switch") :])
async def test_killed(step: Step, world: Open, network: Network, settings: Settings) -> None:
    await kill_and_go_on(step, world, network, settings)
