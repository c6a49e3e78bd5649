"""The view of before, which stands under the shadow's name after a switch, follows the truth until it is dropped."""

from __future__ import annotations

import pytest

from tests.integration.rebuild.conftest import Open
from tests.integration.rebuild.killing import serves_on
from tests.support.network import Network
from tests.support.wait import until


@pytest.mark.parametrize("view", ["search", "feeds", "analytics"])
async def test_the_view_of_before_is_kept_in_sync(view: str, world: Open, network: Network) -> None:
    """The switch back would bring it up to date as well: as long as the log reaches back, and not at once."""
    async with world(view) as one, one.consumed():
        await until(lambda: serves_on(network.conn, view), 20)
        row = await (await one.rebuilding()).rebuild("truth")
        assert row.state == "kept"
        network.post("teacher", "moss after the switch", "north")
        network.delete("posts", "post0001")
        assert (await one.differences(row)).equal
