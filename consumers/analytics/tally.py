"""What a batch changes in the roll-ups of views: sums per post and hour, people to add, people to look for again. Pure.

Only what the batch really inserted or deleted is counted here, in the same transaction, so sums may simply be added:
an event that comes again inserts nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from consumers.analytics.facts import SOURCES, View
from consumers.analytics.grid import Grid
from consumers.analytics.people import HOUR_BIT, Key

#: Sums of one bucket, in the order of the statements' parameters: views, seconds, views with seconds, views by source.
SUMS: Final = 3 + len(SOURCES)
_SOURCE: Final = {name: 3 + place for place, name in enumerate(SOURCES)}

Bucket = tuple[str, int]


class Tally:
    """Changes of one batch. `days` are those whose people the batch touches."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.hours: dict[Bucket, list[int]] = {}
        self.days: dict[Key, None] = {}
        self.marks: dict[Key, list[int]] = {}
        self.lost: set[tuple[Key, str]] = set()

    def add(self, views: Iterable[View], numbers: Mapping[str, int]) -> None:
        """Views that were inserted. Everything that arrives comes this way, so the loop calls little."""
        hour_of, place = self._grid.hour, self._grid.place
        hours, marks = self.hours, self.marks
        for time, _, post, viewer, _, source, duration, weight in views:
            hour = hour_of(time.timestamp())
            sums = hours.get((post, hour)) or self._sums(post, hour)
            sums[0] += weight
            sums[_SOURCE[source]] += weight
            if duration is not None:
                sums[1] += duration
                sums[2] += 1
            if viewer is not None:
                day, index = place(hour)
                key = (post, day)
                found = marks.get(key)
                if found is None:
                    marks[key] = [index << HOUR_BIT | numbers[viewer]]
                else:
                    found.append(index << HOUR_BIT | numbers[viewer])

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
        self.lost.add(((post, self._grid.place(hour)[0]), viewer))

    def by_day(self) -> dict[Bucket, list[int]]:
        """The same sums by day. Where every day has but one hour, they come in the order of the hours."""
        if len(self.days) == len(self.hours):
            return dict(zip(self.days, self.hours.values(), strict=True))
        days: dict[Bucket, list[int]] = {}
        for (post, hour), sums in self.hours.items():
            bucket = (post, self._grid.place(hour)[0])
            former = days.get(bucket)
            days[bucket] = [a + b for a, b in zip(former, sums, strict=True)] if former else sums
        return days

    def _sums(self, post: str, hour: int) -> list[int]:
        sums = self.hours.get((post, hour))
        if sums is None:
            sums = self.hours[post, hour] = [0] * SUMS
            self.days[post, self._grid.place(hour)[0]] = None
        return sums
