"""Views: facts, roll-ups and sets of people of one batch, inside the caller's transaction.

The common batch is all new: it is copied in, and whatever can be computed is computed while the server still sorts it
into its indexes. Then the sums and sets of the days that are busy (busy.py) are brought up to date. When one of the
facts turns out to be there already (a replay, a reader who read on), the caller tries the batch again `careful`ly: then
it is first asked which are known. Only one writer at a time comes here (the checkpoint's row is its lock), so what was
just read is still true when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from consumers.analytics.busy import BusyDays
from consumers.analytics.facts import Changes, View
from consumers.analytics.layout import Layout
from consumers.analytics.people import DayOfPeople, Key, Numbers, mark
from consumers.analytics.tally import Bucket, Tally, Touched
from runtime.arrays import integers, texts
from runtime.postgres import Connection, fetch_rows

_COLUMNS: Final = (
    "views",
    "durations",
    "timed",
    "feed",
    "detail",
    "search",
    "profile",
    "direct",
    "share",
    "other",
)


class ViewFacts:
    """The tables of views of one generation.

    `kept` says whether the roll-ups are tables of ours; `can_copy` whether the server knows COPY.
    """

    def __init__(self, layout: Layout, *, kept: bool, can_copy: bool) -> None:
        self._grid = layout.grid
        self._sql = layout.statements("views")
        self._busy = BusyDays(layout, kept=kept)
        self._kept = kept
        self._can_copy = can_copy

    async def write(
        self, conn: Connection, changes: Changes, numbers: Numbers, *, careful: bool
    ) -> tuple[set[int], dict[str, int]]:
        """Apply the batch's views. Returns the hours that were touched, and the numbers of its people.

        Raises:
            psycopg.errors.UniqueViolation: not `careful`, and a fact is there already.
        """
        hours = await self._remove_posts(conn, changes.deleted_posts)
        touched = Touched(self._grid)
        await self._forget_viewers(conn, changes.deleted_users, touched)
        if changes.removed_views:
            touched.remove(await self._remove(conn, changes))
        new: Collection[View] = changes.views.values()
        if careful:
            new = await self._settle_known(conn, new, touched)
        touched.add(new)
        days = await self._busy.load(conn, touched.days())
        quiet = {key: len(views) for key, views in touched.new.items() if key not in days}
        rising = await self._busy.rising(conn, quiet)
        people = await numbers.of(conn, touched.viewers(days))
        tally = Tally(self._grid, touched, days, people)
        await self._insert(conn, list(new), lambda: _add(days, tally))
        await self._take_out(conn, tally, days, people)
        await self._keep(conn, tally, days)
        await self._busy.make(conn, rising)
        return hours | touched.hours, people

    async def _remove_posts(self, conn: Connection, posts: Collection[str]) -> set[int]:
        if not posts:
            return set()
        params = {"posts": list(posts)}
        touched = {hour for (hour,) in await fetch_rows(conn, self._sql["remove_posts"], params)}
        await conn.execute(self._sql["remove_posts_people"], params)
        if self._kept:
            await conn.execute(self._sql["remove_posts_hourly"], params)
            await conn.execute(self._sql["remove_posts_daily"], params)
        return touched

    async def _forget_viewers(self, conn: Connection, users: Collection[str], touched: Touched) -> None:
        """A deleted person leaves the counts of people, not those of views."""
        if not users:
            return
        params = {"users": list(users)}
        for viewer, post, hour in await fetch_rows(conn, self._sql["viewed_by"], params):
            touched.lose(post, hour, viewer)
        await conn.execute(self._sql["forget_viewers"], params)

    async def _remove(self, conn: Connection, changes: Changes) -> list[View]:
        gone = changes.removed_views
        params = {"facts": list(gone), "times": list(gone.values())}
        return [View(*row) for row in await fetch_rows(conn, self._sql["remove"], params)]

    async def _settle_known(self, conn: Connection, views: Collection[View], touched: Touched) -> list[View]:
        """Bring facts that are there already up to date; returns the others."""
        params = {"facts": [view.fact_id for view in views], "times": [view.time for view in views]}
        rows = await fetch_rows(conn, self._sql["known"], params)
        known = {(fact, time): (viewer, duration) for fact, time, viewer, duration in rows}
        new, longer, orphaned = [], [], []
        for view in views:
            if (view.fact_id, view.time) not in known:
                new.append(view)
                continue
            viewer, duration = known[view.fact_id, view.time]
            if (view.duration_s or 0) > (duration or 0):
                longer.append(view)
                touched.lengthen(view, duration)
            if viewer is not None and view.viewer_id is None:
                orphaned.append(view)
                touched.lose(view.post_id, self._grid.hour(view.time.timestamp()), viewer)
        if longer:
            await conn.execute(
                self._sql["lengthen"], {**_names(longer), "durations": [view.duration_s for view in longer]}
            )
        if orphaned:
            await conn.execute(self._sql["orphan"], _names(orphaned))
        return new

    async def _insert(self, conn: Connection, views: Sequence[View], meanwhile: Callable[[], None]) -> None:
        if not views or not self._can_copy:
            if views:
                await conn.execute(self._sql["insert"], [list(column) for column in zip(*views, strict=True)])
            meanwhile()
            return
        async with conn.cursor() as cursor, cursor.copy(self._sql["copy"]) as copy:
            await copy.write(_copy_text(views))
            meanwhile()

    async def _take_out(
        self, conn: Connection, tally: Tally, days: dict[Key, DayOfPeople], people: dict[str, int]
    ) -> None:
        """Who lost a view is taken out of that day, and put back into the hours where they have others."""
        if not tally.lost:
            return
        lost = list(tally.lost)
        params = {
            "owners": texts(owner for (owner, _), _ in lost),
            "days": integers(day for (_, day), _ in lost),
            "ends": integers(self._grid.next_day(day) for (_, day), _ in lost),
            "users": texts(user for _, user in lost),
        }
        rows = await fetch_rows(conn, self._sql["still_there"], params)
        for key, user in lost:
            days[key].remove(people[user])
        for ordinal, hour in rows:
            key, user = lost[ordinal - 1]
            days[key].add([mark(self._grid.place(hour)[1], people[user])])

    async def _keep(self, conn: Connection, tally: Tally, days: dict[Key, DayOfPeople]) -> None:
        """Sets and sums of the busy days."""
        changed = tally.marks.keys() | {key for key, _ in tally.lost}
        await self._busy.save(conn, {key: days[key] for key in changed})
        if not (self._kept and tally.hours):
            return
        by_day = tally.by_day()
        hourly = {
            **_count_params(tally.hours),
            **_people_params(tally.hours, [self._in_hour(days, *one) for one in tally.hours]),
        }
        daily = {
            **_count_params(by_day),
            **_people_params(by_day, [len(days[one].people) for one in by_day]),
        }
        await conn.execute(self._sql["count_hours"], hourly)
        await conn.execute(self._sql["count_days"], daily)
        if any(sums[0] <= 0 for sums in tally.hours.values()):
            await conn.execute(self._sql["clear_hours"], hourly)
            await conn.execute(self._sql["clear_days"], daily)

    def _in_hour(self, days: dict[Key, DayOfPeople], post: str, hour: int) -> int:
        day, index = self._grid.place(hour)
        return days[post, day].in_hour(index)


def _add(days: dict[Key, DayOfPeople], tally: Tally) -> None:
    for key, marks in tally.marks.items():
        days[key].add(marks)


def _names(views: Collection[View]) -> dict[str, Any]:
    return {"facts": [view.fact_id for view in views], "times": [view.time for view in views]}


def _count_params(buckets: dict[Bucket, list[int]]) -> dict[str, str]:
    columns = zip(*buckets.values(), strict=True)
    return {
        "posts": texts(post for post, _ in buckets),
        **{name: integers(column) for name, column in zip(_COLUMNS, columns, strict=False)},
    }


def _people_params(buckets: dict[Bucket, list[int]], people: list[int]) -> dict[str, str]:
    return {"buckets": integers(start for _, start in buckets), "people": integers(people)}


def _copy_text(views: Sequence[View]) -> str:
    """Rows as COPY reads them; see the statement for how nothing is written."""
    text = "".join(map(_copy_row, views))
    plain = "\\" not in text and text.count("\t") == 7 * len(views) and text.count("\n") == len(views)
    if plain and "\r" not in text:
        return text
    return "".join(_copy_row(View(*map(_escaped, view))) for view in views)


def _copy_row(view: View) -> str:
    time, fact, post, viewer, school, source, duration, weight = view
    seconds = "" if duration is None else duration
    return (
        f"{time.isoformat()}\t{fact}\t{post}\t{viewer or ''}\t{school or ''}\t{source}\t{seconds}\t{weight}\n"
    )


def _escaped(value: Any) -> Any:
    """Text with a backslash before what would end a column or a row."""
    if not isinstance(value, str):
        return value
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
