"""How the posts that a question finds spread over schools, types and tags.

Counted are rows of PostgreSQL that the viewer passes, among the first `COUNTED` results; the index's own counts know
nothing of a right that ended a moment ago. So a number here never tells of a post that the viewer may not see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from consumers.search.tags import canonical
from runtime.access import POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_rows

#: Results that are counted.
COUNTED: Final = 250
#: Values that a facet shows.
_SHOWN: Final = 20

_SQL: Final = (
    (Path(__file__).parent / "sql" / "facets.sql")
    .read_text(encoding="utf-8")
    .replace("{VISIBLE}", POST_VISIBLE)
)

Facets = dict[str, list[dict[str, Any]]]


async def facets(conn: Connection, scope: Scope, keys: Sequence[str]) -> Facets:
    """Of those of these posts that the viewer may see: how many of each school, type and tag, most first."""
    rows = await fetch_rows(conn, _SQL, {**scope.params(), "ids": list(keys)})
    tags = [dict.fromkeys(filter(None, map(canonical, of_post))) for _, _, of_post in rows]
    return {
        "schoolId": _counted(school for school, _, _ in rows if school is not None),
        "postType": _counted(kind for _, kind, _ in rows),
        "tag": _counted(tag for of_post in tags for tag in of_post),
    }


def _counted(values: Iterable[str]) -> list[dict[str, Any]]:
    ranked = sorted(Counter(values).items(), key=lambda one: (-one[1], one[0]))
    return [{"value": value, "count": count} for value, count in ranked[:_SHOWN]]
