"""What autocomplete offers, made of the cards that the viewer may see and of nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, Final

from consumers.search.schema import Kind
from consumers.search.tags import canonical, spellings
from consumers.search.text import fold

Suggestion = dict[str, Any]

_TYPES: Final[dict[Kind, str]] = {"posts": "post", "users": "user", "clubs": "club", "courses": "course"}
_MOST_TAGS: Final = 3


def suggestions(
    query: str, found: Mapping[Kind, Sequence[Mapping[str, Any]]], limit: int
) -> list[Suggestion]:
    """Tags first, then one of each kind in turn; no text stands twice under one type."""
    turns = zip_longest(*(_of_kind(kind, cards) for kind, cards in found.items()))
    offered = chain(_tags(query, found.get("posts", ())), *turns)
    unique: dict[tuple[str, str], Suggestion] = {}
    for one in offered:
        if one is not None and one["text"]:
            unique.setdefault((one["type"], one.get("id") or fold(one["text"])), one)
    return list(unique.values())[:limit]


def _of_kind(kind: Kind, cards: Sequence[Mapping[str, Any]]) -> Iterator[Suggestion]:
    for card in cards:
        yield {"type": _TYPES[kind], "id": card["id"], "text": _text(kind, card)}


def _text(kind: Kind, card: Mapping[str, Any]) -> str:
    if kind == "users":
        return f"{card['firstName']} {card['lastName']}".strip()
    return str(card["name"] if kind == "clubs" else card["title"] or "")


def _tags(query: str, posts: Sequence[Mapping[str, Any]]) -> list[Suggestion]:
    """Tags of these posts that begin like the query, in any spelling of their group."""
    begun = fold(query)
    offered: dict[str, Suggestion] = {}
    for card in posts:
        for tag in card["topicTags"]:
            if any(fold(form).startswith(begun) for form in (tag, *spellings(tag))):
                offered.setdefault(canonical(tag), {"type": "tag", "id": None, "text": tag})
    return list(offered.values())[:_MOST_TAGS]
