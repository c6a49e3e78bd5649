"""What a batch changes in the roll-ups of views: sums per post and hour, people to add, people to look for again. Pure.

Only what the batch really inserted or deleted is counted here, in the same transaction, so sums may simply be added:
an event that comes again inserts nothing and changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from consumers.analytics.facts import SOURCES, View
from consumers.analytics.grid import HOUR, Grid
from consumers.analytics.people import Key, mark

#: Sums of one bucket, in the order of the statements' parameters: views, seconds, views with seconds, views by source.
SUMS: Final = 3 + len(SOURCES)
_SOURCE: Final = {name: 3 + place for place, name in enumerate(SOURCES)}

Bucket = tuple[str, int]


class Tally:
    """Changes of one batch."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.hours: dict[Bucket, list[int]] = {}
        self.marks: defaultdict[Key, list[int]] = defaultdict(list)
        self.lost: set[tuple[Key, str]] = set()

    def add(self, views: Iterable[View], numbers: Mapping[str, int]) -> None:
        """Views that were inserted."""
        hour_of, day_of = self._grid.hour, self._grid.day
        for time, _, post, viewer, _, source, duration, weight in views:
            hour = hour_of(time.timestamp())
            sums = self._sums(post, hour)
            sums[0] += weight
            sums[_SOURCE[source]] += weight
            if duration is not None:
                sums[1] += duration
                sums[2] += 1
            if viewer is not None:
                day = day_of(hour)
                self.marks[Key(post, day)].append(mark((hour - day) // HOUR, numbers[viewer]))

    def remove(self, views: Iterable[View]) -> None:
        """Views that were deleted."""
        for view in views:
            sums = self._sums(view.post_id, self._grid.hour(view.time.timestamp()))
            sums[0] -= view.weight
            sums[_SOURCE[view.source]] -= view.weight
            if view.duration_s is not None:
                sums[1] -= view.duration_s
                sums[2] -= 1
            if view.viewer_id is not None:
                self.lose(view.post_id, self._grid.hour(view.time.timestamp()), view.viewer_id)

    def lengthen(self, view: View, former: int | None) -> None:
        """A view whose duration grew."""
        assert view.duration_s is not None  # it is longer than the former
        sums = self._sums(view.post_id, self._grid.hour(view.time.timestamp()))
        sums[1] += view.duration_s - (former or 0)
        sums[2] += former is None

    def lose(self, post: str, hour: int, viewer: str) -> None:
        """Somebody may have no view in that hour any more: their day is looked at again."""
        self._sums(post, hour)
        self.lost.add((Key(post, self._grid.day(hour)), viewer))

    def days(self) -> dict[Bucket, list[int]]:
        """The same sums by day."""
        days: dict[Bucket, list[int]] = {}
        for (post, hour), sums in self.hours.items():
            bucket = (post, self._grid.day(hour))
            former = days.get(bucket)
            days[bucket] = [a + b for a, b in zip(former, sums, strict=True)] if former else sums
        return days

    def keys(self) -> list[Key]:
        """The days whose people the batch touches."""
        day_of = self._grid.day
        return list(dict.fromkeys(Key(post, day_of(hour)) for post, hour in self.hours))

    def _sums(self, post: str, hour: int) -> list[int]:
        sums = self.hours.get((post, hour))
        if sums is None:
            sums = self.hours[post, hour] = [0] * SUMS
        return sums
