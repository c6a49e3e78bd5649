"""When a shadow may serve: it is near, it is whole by count, and it is right key by key.

In this order, cheapest first, again and again until all hold at once or patience ends. A gate that fails for good
ends the rebuild: the view goes on as it was, and what is wrong is said by number and name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

from consumers.engine.passing import Passing
from consumers.engine.patience import pause
from consumers.engine.rebuild.register import Rebuild, Register
from consumers.engine.rebuild.shadow import Shadows
from consumers.engine.verification import Verifier

log = structlog.get_logger(__name__)

#: The oldest event that the shadow does not have may be so old. Seconds.
MOST_LAG: Final = 2.0
#: Counts may differ by what is on its way: this share of them, and at least so many.
SHARE_UNDER_WAY: Final = 0.001
MOST_UNDER_WAY: Final = 20
#: A difference that a verification finds is looked at again before it counts. Times.
VERIFICATIONS: Final = 3
_SHOWN: Final = 5
_LOOK_SECONDS: Final = 0.2


class GateFailed(Exception):
    """The shadow may not serve; the message says why."""


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of one rebuild. `seconds`: how long they may stay closed before the rebuild is given up."""

    shadows: Shadows
    register: Register
    verifier: Verifier | None
    stop: asyncio.Event
    seconds: float = 600.0

    async def open(self, rebuild: Rebuild, *, alive: Callable[[], None]) -> None:
        """Return when all hold; `alive` is called while waiting and raises when the shadow is not followed any more.

        Raises:
            GateFailed: they will not.
            Stopping: asked to stop.
        """
        deadline = monotonic() + self.seconds
        verified = 0
        while True:
            why = await self._why_closed(rebuild)
            if why is None and self.verifier is not None:
                verified += 1
                why = await self._differences(self.verifier, rebuild)
                if why is not None and verified >= VERIFICATIONS:
                    raise GateFailed(why)
            if why is None:
                return
            if monotonic() > deadline:
                raise GateFailed(why)
            await self.register.progress(rebuild.id, why[:200], rebuild.done, rebuild.total)
            alive()
            await pause(self.stop, _LOOK_SECONDS)

    async def _why_closed(self, rebuild: Rebuild) -> str | None:
        standing = await self.register.standing(rebuild.shadow)
        if standing is None or not standing[0]:
            return "following: it has not begun"
        if standing[1] > MOST_LAG:
            return f"following: {standing[1]:.1f} s behind"
        return wrong_counts(await self.shadows.counts(rebuild.id), await self.shadows.expected(rebuild.id))

    async def _differences(self, verifier: Verifier, rebuild: Rebuild) -> str | None:
        await self.register.progress(rebuild.id, "verifying", rebuild.done, rebuild.total)
        passing = Passing(self.register.pool, rebuild.shadow, counted=True)
        found = await verifier.compare(await self.shadows.target(rebuild.id), settle=passing)
        kinds = {
            "missing": found.missing,
            "extra": found.extra,
            "stale": found.stale,
            "unsettled": found.unsettled,
        }
        parts = [
            f"{len(keys)} {kind} ({', '.join(map(str, sorted(keys)[:_SHOWN]))})"
            for kind, keys in kinds.items()
            if keys
        ]
        return f"verify: {'; '.join(parts)}" if parts else None


def wrong_counts(counts: Mapping[str, int], expected: Mapping[str, int]) -> str | None:
    """The first kind whose number is not what the truth has, apart from what may be on its way."""
    for kind, wanted in expected.items():
        found = counts.get(kind, 0)
        if abs(found - wanted) > max(MOST_UNDER_WAY, wanted * SHARE_UNDER_WAY):
            return f"counts: {found:,} {kind}, {wanted:,} expected"
    return None
