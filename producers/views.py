"""Views of posts: one row per user, post and clock hour, whatever clients send and however often.

Upstream looks for an earlier row before it inserts, which two requests at once can both pass. Here the row's id is
made of user, post and hour, so that the primary key decides; upstream's own rows of that hour count as well.
Clients may send a sample: the row stays one row, the post's counter grows by what the view stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from producers.bodies import NewView, SampledView
from producers.errors import NotFound
from producers.rows import statements
from runtime.access import Viewer, load_scope
from runtime.postgres import Connection, fetch_dicts

MAX_SECONDS: Final = 3_600
MAX_WEIGHT: Final = 100

_SQL: Final = statements("views")


async def view(conn: Connection, viewer: Viewer, post_id: str, seen: NewView) -> bool:
    """Record a view; a second one within the hour lengthens the first. True when it counted as a new view.

    Raises:
        NotFound: there is no such post for this viewer.
    """
    accepted, counted = await record(conn, viewer, [SampledView(post_id=post_id, **seen.model_dump())])
    if not accepted:
        raise NotFound("There is no such post.")
    if not counted and seen.duration:
        await conn.execute(
            _SQL["lengthen"],
            {
                "post": post_id,
                "viewer": viewer.id,
                "seconds": clamp(seen.duration),
                "max_seconds": MAX_SECONDS,
            },
        )
    return bool(counted)


async def record(conn: Connection, viewer: Viewer, seen: Sequence[SampledView]) -> tuple[int, int]:
    """Record a batch; views of posts that the viewer may not see are passed over in silence.

    Returns how many posts were accepted and how many of them had not been viewed within the hour.
    """
    merged = merge(seen)
    params = {
        "posts": list(merged),
        "durations": [
            one.duration if one.duration is None else clamp(one.duration) for one in merged.values()
        ],
        "sources": [one.source for one in merged.values()],
        "weights": [weight(one.sample_rate) for one in merged.values()],
    }
    scope = await load_scope(conn, viewer)
    [row] = await fetch_dicts(conn, _SQL["record"], {**scope.params(), **params})
    return row["accepted"], row["counted"]


def merge(seen: Sequence[SampledView]) -> dict[str, SampledView]:
    """One view per post: durations add up, the first source and the smallest sample rate stay."""
    merged: dict[str, SampledView] = {}
    for one in seen:
        former = merged.get(one.post_id)
        merged[one.post_id] = one if former is None else _joined(former, one)
    return merged


def _joined(first: SampledView, second: SampledView) -> SampledView:
    durations = [one.duration for one in (first, second) if one.duration is not None]
    return first.model_copy(
        update={
            "duration": sum(durations) if durations else None,
            "sample_rate": min(first.sample_rate, second.sample_rate),
        }
    )


def clamp(seconds: float) -> int:
    """A believable duration in whole seconds."""
    return int(min(max(seconds, 0), MAX_SECONDS))


def weight(sample_rate: float) -> int:
    """How many views one sampled view stands for."""
    return round(1 / max(sample_rate, 1 / MAX_WEIGHT))
