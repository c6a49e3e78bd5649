"""A store that goes away in the middle of a switch: the rebuild waits for it and gets it done."""

from __future__ import annotations

import pytest

from app import views
from consumers.engine.rebuild.steps import Step
from runtime.errors import Retryable
from tests.integration.rebuild.conftest import Open


class Outage:
    """The store is away at some steps, once each or always."""

    def __init__(self, *steps: Step, always: bool = False) -> None:
        self.left = list(steps)
        self._always = always

    def __call__(self, step: Step) -> None:
        """As the rebuild tells where it is."""
        if step in self.left:
            if not self._always:
                self.left.remove(step)
            raise Retryable(f"away after {step}")


@pytest.mark.parametrize("view", views.CONSUMERS)
async def test_it_is_tried_again(view: str, world: Open) -> None:
    async with world(view) as opened, opened.consumed():
        outage = Outage("switch_noted", "fenced")
        row = await (await opened.rebuilding(outage)).rebuild("truth")
        assert row.state == "kept"
        assert outage.left == []
        assert (await opened.differences()).equal


async def test_one_that_had_happened_already_is_completed(world: Open) -> None:
    async with world("feeds") as feeds, feeds.consumed():
        outage = Outage("exchanged")
        row = await (await feeds.rebuilding(outage)).rebuild("truth")
        assert row.state == "kept"
        assert outage.left == []
        assert (await feeds.differences()).equal


async def test_not_for_ever(world: Open) -> None:
    async with world("feeds") as feeds, feeds.consumed():
        with pytest.raises(Retryable, match="away"):
            await (await feeds.rebuilding(Outage("fenced", always=True))).rebuild("truth")
        row = await (await feeds.rebuilding()).rebuild("truth")
        assert row.state == "kept", "the next one goes on"
