"""From the newest posts to older ones, stretch by stretch, until a page is full or the time is over.

PostgreSQL reads every post of a stretch for a Khmer word, and measures how alike words are for a misspelt one. A small
school's posts are all in the first stretches; of a large network's, what is long ago is left out when time is short.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Final, NamedTuple

import psycopg

from runtime.postgres import Connection, fetch_rows

#: Where stretches end: after so many posts.
EXACTLY: Final = (5_000, 20_000)
LOOSELY: Final = (1_000, 4_000)
#: Less is not worth beginning with.
_LEAST_MS: Final = 20

_EDGES_SQL: Final = """
SELECT (SELECT p."createdAt" FROM posts p WHERE %(until)s::timestamp IS NULL OR p."createdAt" <= %(until)s::timestamp
         ORDER BY p."createdAt" DESC OFFSET nth LIMIT 1)
  FROM unnest(%(sizes)s::bigint[]) AS nth
"""


class Stretch(NamedTuple):
    """Posts made after `since` and not later than `until`; None: without an end."""

    since: datetime | None
    until: datetime | None


async def stretches(conn: Connection, sizes: Sequence[int], until: datetime | None) -> list[Stretch]:
    """The stretches of all posts up to `until`, the newest first; without sizes, one."""
    if not sizes:
        return [Stretch(None, until)]
    rows = await fetch_rows(conn, _EDGES_SQL, {"until": until, "sizes": list(sizes)})
    edges = [edge for (edge,) in rows if edge is not None]
    return [Stretch(since, end) for since, end in zip([*edges, None], [until, *edges], strict=True)]


async def newest_first(
    conn: Connection,
    parts: Sequence[Stretch],
    wanted: int,
    deadline: float,
    ask: Callable[[Stretch, int], Awaitable[list[str]]],
) -> list[str]:
    """What is found stretch by stretch, up to as many as are wanted, or as there is time for.

    `ask` gets a stretch and how many are wanted of it. The first one is answered however long it takes (the caller's
    transaction has a limit); the others until `deadline`, in seconds of the monotonic clock.
    """
    newest, *older = parts
    found = await ask(newest, wanted)
    for part in older:
        left = int((deadline - monotonic()) * 1000)
        if len(found) >= wanted or left < _LEAST_MS:
            break
        answer = await _within(conn, left, partial(ask, part, wanted - len(found)))
        if answer is None:
            break
        found += answer
    return found


async def _within(
    conn: Connection, milliseconds: int, question: Callable[[], Awaitable[list[str]]]
) -> list[str] | None:
    try:
        async with conn.transaction(force_rollback=True):  # which takes the setting back
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", (str(milliseconds),))
            return await question()
    except psycopg.errors.QueryCanceled:
        return None
