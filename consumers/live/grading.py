"""Whether an answer is right, and what it is worth. Pure.

Quizzes come from several clients: the right option of a choice may be given by index, letter or text, in a number or
a string. Both sides go through the same reading, so what looks the same to a person counts as the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def is_correct(question: Mapping[str, Any], answer: Any) -> bool:
    """Whether `answer` is right; an answer of the wrong shape is wrong."""
    right, options = question.get("correctAnswer"), question.get("options") or []
    match question.get("type"):
        case "MULTIPLE_CHOICE":
            return _option(right, options) is not None and _option(answer, options) == _option(right, options)
        case "TRUE_FALSE":
            return _truth(right, options) is not None and _truth(answer, options) == _truth(right, options)
        case "ORDERING":
            return [_text(one) for one in _list(answer)] == [_text(one) for one in _list(right)] != []
        case "MATCHING":
            return _pairs(answer) == _pairs(right) != frozenset()
    accepted = right if isinstance(right, list) else str(right if right is not None else "").split("|")
    return _text(answer) != "" and _text(answer) in [_text(one) for one in accepted]


def points(worth: int, speed_bonus: float, seconds: float, of_seconds: int) -> int:
    """What a right answer earns: the earlier, the more."""
    left = max(0.0, 1 - seconds / of_seconds)
    return round(worth + worth * speed_bonus * left)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(unicodedata.normalize("NFC", str("" if value is None else value)).casefold().split())


def _option(value: Any, options: Sequence[Any]) -> int | None:
    """The index of an option given as index, letter or text."""
    text = _text(value)
    if isinstance(value, bool) or not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(options):
        return int(text)
    texts = [_text(option) for option in options]
    if text in texts:
        return texts.index(text)
    letter = ord(text) - ord("a") if len(text) == 1 else -1
    return letter if 0 <= letter < len(options) else None


def _truth(value: Any, options: Sequence[Any]) -> str | None:
    text = _text(value)
    if text in ("true", "false"):
        return text
    place = _option(value, options or ("true", "false"))
    return None if place is None else _text((options or ("true", "false"))[place])


def _list(value: Any) -> list[Any]:
    value = _unpacked(value)
    return value if isinstance(value, list) else []


def _pairs(value: Any) -> frozenset[tuple[str, str]]:
    value = _unpacked(value)
    if isinstance(value, dict):
        return frozenset((_text(left), _text(right)) for left, right in value.items())
    pairs = value if isinstance(value, list) else []
    return frozenset(
        (_text(one[0]), _text(one[1])) for one in pairs if isinstance(one, list) and len(one) == 2
    )


def _unpacked(value: Any) -> Any:
    """Lists and pairs may come as JSON in a string."""
    if isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
