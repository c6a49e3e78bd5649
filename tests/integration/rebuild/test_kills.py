"""A rebuild that is killed before it switches: the view serves on, the next rebuild finishes or begins anew."""

from __future__ import annotations

import signal

import pytest

from consumers.engine.rebuild.steps import STEPS, Step
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open
from tests.integration.rebuild.killing import collections, kill_and_go_on, rebuild_dying_at, serves_on
from tests.support.network import Network
from tests.support.wait import until


@pytest.mark.parametrize("step", STEPS[: STEPS.index("before_switch")])
async def test_killed(step: Step, world: Open, network: Network, settings: Settings) -> None:
    await kill_and_go_on(step, world, network, settings)


async def test_nobody_goes_on(world: Open, network: Network, settings: Settings) -> None:
    """The scheduler cleans up."""
    async with world("search") as search:
        async with search.consumed():
            await until(lambda: serves_on(network.conn, "search"), 20)
            assert rebuild_dying_at("filled", "search", settings) == -signal.SIGKILL
            assert len(collections(settings)) == 10
            network.conn.execute(
                "UPDATE engine.leases SET expires_at = now() - interval '1 s' WHERE consumer LIKE '%rebuild%'"
            )
            await search.sweep(abandoned_after=3600)
            assert len(collections(settings)) == 10
            await search.sweep(abandoned_after=0)
            assert len(collections(settings)) == 5
            assert (await search.differences()).equal
        rows = network.conn.execute("SELECT state, error FROM engine.rebuilds").fetchall()
        assert rows == [("dropped", "nobody went on with it")]
