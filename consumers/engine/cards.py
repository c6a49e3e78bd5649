"""Post cards: the one JSON form in which posts leave the API, read from the truth with the visibility rule.

A view (search, feeds, similar) finds and ranks ids; this file turns them into what a client sees, and drops what
this viewer may not see or what is gone, whatever the view still believes. It neither ranks nor pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runtime.access import POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_dicts

_CARDS_SQL: Final = (
    (Path(__file__).parent / "sql" / "post_cards.sql")
    .read_text(encoding="utf-8")
    .replace("{POST_VISIBLE}", POST_VISIBLE)
)
#: What a card says of its author; columns, because making and reading JSON of them took a tenth of a page's time.
_AUTHOR: Final = ("id", "firstName", "lastName", "profilePictureUrl", "role")


def timestamp(value: datetime) -> str:
    """A `timestamp(3)` of upstream (UTC by convention, no zone) as ISO 8601 with milliseconds and Z."""
    utc = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


async def hydrate_posts(conn: Connection, scope: Scope, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The cards of those posts that the viewer may see, in the order of `ids`; one query."""
    if not ids:
        return []
    cards = await fetch_dicts(conn, _CARDS_SQL, {**scope.params(), "ids": list(ids)}, prepare=True)
    for card in cards:
        card["createdAt"] = timestamp(card["createdAt"])
        card["author"] = {name: card.pop(f"author.{name}") for name in _AUTHOR}
    return cards
