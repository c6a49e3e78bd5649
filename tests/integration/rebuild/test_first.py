"""A rebuild of a view that nobody has kept before: there is nothing to exchange it with, and nothing to fence."""

from __future__ import annotations

import pytest

from tests.integration.rebuild.conftest import Open
from tests.support.network import Network


@pytest.mark.parametrize("view", ["search", "feeds", "analytics"])
async def test_nothing_served_before(world: Open, network: Network, view: str) -> None:
    async with world(view) as one:
        row = await (await one.rebuilding()).rebuild("truth")
        assert row.switched_at is not None
        network.post("teacher", "written after the switch")
        async with one.consumed():
            found = await one.differences()
        assert found.compared >= 300
        assert found.equal
