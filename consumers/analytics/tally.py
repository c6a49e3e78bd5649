"""What a batch does to views: first by school day, then, for the days that are busy, as sums per post and hour. Pure.

Only what the batch really inserted or deleted is counted here, in the same transaction, so sums may simply be added:
an event that comes again inserts nothing and changes nothing. Which days are busy says `busy.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from consumers.analytics.facts import SOURCES, View
from consumers.analytics.grid import Grid
from consumers.analytics.people import HOUR_BIT, Key

#: Sums of one bucket, in the order of the statements' parameters: views, seconds, views with seconds, views by source.
SUMS: Final = 3 + len(SOURCES)
_SOURCE: Final = {name: 3 + place for place, name in enumerate(SOURCES)}

Bucket = tuple[str, int]


class Touched:
    """A batch's views by post and day, and the hours of them all."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.new: dict[Key, list[View]] = {}
        self.gone: defaultdict[Key, list[View]] = defaultdict(list)
        self.longer: defaultdict[Key, list[tuple[View, int | None]]] = defaultdict(list)
        self.lost: defaultdict[Key, list[tuple[int, str]]] = defaultdict(list)
        self.hours: set[int] = set()

    def add(self, views: Iterable[View]) -> None:
        """Views that are inserted. Everything that arrives comes this way, so the loop calls little."""
        hour_of, place, new, hours = self._grid.hour, self._grid.place, self.new, self.hours
        for view in views:
            hour = hour_of(view[0].timestamp())
            hours.add(hour)
            key = (view[2], place(hour)[0])
            if key in new:
                new[key].append(view)
            else:
                new[key] = [view]

    def remove(self, views: Iterable[View]) -> None:
        """Views that were deleted."""
        for view in views:
            self.gone[self._key(view)].append(view)
            if view.viewer_id is not None:
                self.lose(view.post_id, self._grid.hour(view.time.timestamp()), view.viewer_id)

    def lengthen(self, view: View, former: int | None) -> None:
        """A view whose duration grew."""
        self.longer[self._key(view)].append((view, former))

    def lose(self, post: str, hour: int, viewer: str) -> None:
        """Somebody may have no view in that hour any more: their day is looked at again."""
        self.hours.add(hour)
        self.lost[post, self._grid.day(hour)].append((hour, viewer))

    def days(self) -> list[Key]:
        """All days that the batch touches."""
        return list(self.new.keys() | self.gone.keys() | self.longer.keys() | self.lost.keys())

    def viewers(self, busy: Collection[Key]) -> set[str]:
        """Whose numbers the sets of the busy days need."""
        seen = {view.viewer_id for key in busy for view in self.new.get(key, ()) if view.viewer_id}
        return seen | {user for key in busy for _, user in self.lost.get(key, ())}

    def _key(self, view: View) -> Key:
        hour = self._grid.hour(view.time.timestamp())
        self.hours.add(hour)
        return view.post_id, self._grid.day(hour)


class Tally:
    """Changes of the busy days among those touched: sums by hour, people to add, people to look for again."""

    def __init__(
        self, grid: Grid, touched: Touched, busy: Collection[Key], numbers: Mapping[str, int]
    ) -> None:
        self._grid = grid
        self.hours: dict[Bucket, list[int]] = {}
        self.marks: dict[Key, list[int]] = {}
        self.lost: set[tuple[Key, str]] = set()
        for key in busy:
            self._add(key, touched.new.get(key, ()), numbers)
            for view in touched.gone.get(key, ()):
                self._remove(view)
            for view, former in touched.longer.get(key, ()):
                self._lengthen(view, former)
            for hour, user in touched.lost.get(key, ()):
                self._sums(key[0], hour)
                self.lost.add((key, user))

    def by_day(self) -> dict[Bucket, list[int]]:
        """The same sums by day."""
        days: dict[Bucket, list[int]] = {}
        for (post, hour), sums in self.hours.items():
            bucket = (post, self._grid.day(hour))
            former = days.get(bucket)
            days[bucket] = [a + b for a, b in zip(former, sums, strict=True)] if former else sums
        return days

    def _add(self, key: Key, views: Iterable[View], numbers: Mapping[str, int]) -> None:
        hour_of, place = self._grid.hour, self._grid.place
        marks = []
        for time, _, post, viewer, _, source, duration, weight in views:
            hour = hour_of(time.timestamp())
            sums = self._sums(post, hour)
            sums[0] += weight
            sums[_SOURCE[source]] += weight
            if duration is not None:
                sums[1] += duration
                sums[2] += 1
            if viewer is not None:
                marks.append(place(hour)[1] << HOUR_BIT | numbers[viewer])
        if marks:
            self.marks[key] = marks

    def _remove(self, view: View) -> None:
        sums = self._sums(view.post_id, self._grid.hour(view.time.timestamp()))
        sums[0] -= view.weight
        sums[_SOURCE[view.source]] -= view.weight
        if view.duration_s is not None:
            sums[1] -= view.duration_s
            sums[2] -= 1

    def _lengthen(self, view: View, former: int | None) -> None:
        assert view.duration_s is not None  # it is longer than the former
        sums = self._sums(view.post_id, self._grid.hour(view.time.timestamp()))
        sums[1] += view.duration_s - (former or 0)
        sums[2] += former is None

    def _sums(self, post: str, hour: int) -> list[int]:
        sums = self.hours.get((post, hour))
        if sums is None:
            sums = self.hours[post, hour] = [0] * SUMS
        return sums
