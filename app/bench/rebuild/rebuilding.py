"""One rebuild as `stunity rebuild` does it, with the moments at which it reached its steps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter

from app.rebuilding import open_rebuilding
from consumers.engine.options import Options
from consumers.engine.rebuild.register import Register
from consumers.engine.rebuild.steps import Step
from runtime.postgres import open_pool
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds from the first step to the last, and of parts.

    Attributes:
        load: until everything is in the store and indexed, which is what a ceiling does.
        gates: following, counts, and the verification key by key.
        whole: until readers have it.
    """

    load: float
    gates: float
    whole: float


async def rebuild(settings: Settings, view: str) -> Took:
    """Rebuild a view from the truth."""
    reached: dict[Step, float] = {}

    def on_step(step: Step) -> None:
        reached.setdefault(step, perf_counter())

    async with open_pool(settings.database_url, max_size=8, name="bench-rebuild") as pool:
        stop = asyncio.Event()
        async with open_rebuilding(settings, view, Register(pool), Options(), stop, on_step) as rebuilding:
            await rebuilding.rebuild("truth")
    begun = reached["registered"]
    return Took(
        load=reached["completed"] - begun,
        gates=reached["checked"] - reached["completed"],
        whole=reached["switched"] - begun,
    )
