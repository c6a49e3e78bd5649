"""What trends, summed once for everybody who asks at about that time.

Sums over all posts are this view's dearest question (a second for a month of 10,000,000 views) and the same for all;
which of the posts a viewer may see is asked anew every time, by `insights_api.py`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from fastapi import Request

from consumers.analytics.insights import Trend
from consumers.analytics.requests import analytics_pool
from consumers.analytics.series import Period, Window
from consumers.analytics.view_many import ManyPostsView

#: Sums are kept for so many times as long as making them took: whoever asks, a tenth of one connection makes them.
_KEPT: Final = 10


@dataclass(slots=True)
class _Sums:
    """The best of one period, and until when they may be told."""

    grid: Window | None = None
    most: int = 0
    trends: list[Trend] = field(default_factory=list)
    until: float = 0.0
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    def tell(self, grid: Window, most: int) -> bool:
        return self.grid == grid and self.most >= most and monotonic() < self.until


class Trends:
    """The sums of this process."""

    def __init__(self, view: ManyPostsView) -> None:
        self._view = view
        self._sums: defaultdict[Period, _Sums] = defaultdict(_Sums)

    async def best(self, grid: Window, most: int, *, anew: bool = False) -> list[Trend]:
        """At least `most` posts with the highest scores, if there are so many; `anew`: as they are now.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        sums = self._sums[grid.period]
        async with sums.making:
            if anew or not sums.tell(grid, most):
                began = monotonic()
                sums.trends = await self._view.trending(grid, most)
                sums.grid, sums.most = grid, most
                sums.until = monotonic() + _KEPT * (monotonic() - began)
            return sums.trends


def trends_of(request: Request) -> Trends:
    """The sums of this process, made at their first use."""
    state = request.app.state
    if not hasattr(state, "trends"):
        state.trends = Trends(ManyPostsView(analytics_pool(request)))
    made: Trends = state.trends
    return made
