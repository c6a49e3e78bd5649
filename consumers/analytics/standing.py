"""Facts that are told once more, by a replay: only those whose row still stands in the truth come back.

In a live stream a fact's end follows its beginning. A replay may end between the two, or the end may have come long
ago; the row itself knows. What else facts need of the truth is `truth.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from consumers.analytics.facts import Changes
from runtime.arrays import texts
from runtime.postgres import Pool, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "standing.sql")
_KINDS: Final = ("like", "comment", "bookmark", "quiz", "post")


async def standing(pool: Pool, changes: Changes) -> Changes:
    """The changes without the facts whose rows are gone."""
    named = {*changes.engagements, *changes.activities}
    if not named and not changes.views:
        return changes
    params = {kind: texts(_ids(kind, named)) for kind in _KINDS}
    async with pool.connection() as conn:
        rows = await fetch_rows(conn, _SQL["standing"], {**params, "views": texts(changes.views)})
    stand = {row[0] for row in rows}
    return replace(
        changes,
        views={key: row for key, row in changes.views.items() if key in stand},
        engagements={key: row for key, row in changes.engagements.items() if key in stand},
        activities={key: row for key, row in changes.activities.items() if key in stand},
    )


def _ids(kind: str, facts: Iterable[str]) -> list[str]:
    prefix = f"{kind}:"
    return [fact.removeprefix(prefix) for fact in facts if fact.startswith(prefix)]
