"""What Redis should keep of a post, said a second time: from the rows of sql/expected.sql, for `verification.py`.

This file and `mapping.py` with `apply.lua` state the same rules and share no line, so that a mistake in either shows as
a difference. What follows from numbers that change without an event (shares, views, ratings) is compared with what
Redis holds of them, not with the truth: feeds take those over with the next event of the post.
"""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

Row = Mapping[str, Any]
Pools = dict[str, float]

#: Likes and comments are counted up to here, and so many newest people are kept.
COUNTED: Final = 5000
PEOPLE: Final = 20

_PINNED: Final = 10**14
_PER_MS: Final = 0.029 / 3_600_000
_RATINGS: Final = 0.18
_ROUNDING: Final = 0.0002
_SHOWN: Final = ("PUBLIC", "SCHOOL", "CLASS")


def content(row: Row) -> dict[str, Any]:
    """What of a post follows from the truth alone."""
    found: dict[str, Any] = {
        "i": row["id"],
        "a": row["author"],
        "v": row["visibility"] if row["visibility"] in _SHOWN else "PRIVATE",
        "t": row["type"],
        "c": row["created"],
        "s": row["school"],
        "k": 1 if row["pinned"] else None,
        "g": list(dict.fromkeys(_tags(row))) or None,
        "l": row["likes"] or None,
        "m": row["comments"] or None,
    }
    if max(row["likes"], row["comments"]) < COUNTED:  # of more, any are the newest
        found |= {"e": _marks(row["likers"]), "f": _marks(row["commenters"])}
    return {name: value for name, value in found.items() if value is not None}


def is_right(row: Row, static: Mapping[str, Any], counts: Mapping[str, Any]) -> bool:
    """Whether the two halves of a post in Redis say what they should."""
    wanted = content(row)
    held = {**static, **counts}
    loose = {"q", "h", "w", "x", *(() if max(row["likes"], row["comments"]) < COUNTED else ("e", "f"))}
    if {name: value for name, value in held.items() if name not in loose} != wanted:
        return False
    return _quality_fits(row, held.get("q")) and _heat_fits(held)


def pools(row: Row, heat: float | None) -> Pools:
    """The pools that a post belongs to, with its score in each; `heat` is its hot score."""
    author, school, shown_to = row["author"], row["school"], row["visibility"]
    recent = float(row["created"] + (_PINNED if row["pinned"] else 0))
    if shown_to not in _SHOWN:
        return {f"recent:private:{author}": recent}
    places = [f"author:{author}"]
    where = ["public"] if shown_to == "PUBLIC" else []
    if school is not None and shown_to != "CLASS":
        where.append(f"school:{school}")
    found = {f"recent:{place}": recent for place in (*places, *where)}
    if heat is not None:
        found |= {f"hot:{place}": heat for place in where}
    return found


def _tags(row: Row) -> Iterator[str]:
    for tag in row["tags"] or ():
        folded = unicodedata.normalize("NFC", tag or "").strip().lstrip("#").casefold()
        if folded:
            yield folded


def _marks(people: list[str] | None) -> list[int] | None:
    return [zlib.crc32(person.encode("utf-8", "surrogatepass")) for person in people] if people else None


def _quality_fits(row: Row, held: Any) -> bool:
    least = min(1.0, float(row["quality"]))
    most = min(1.0, float(row["quality"]) + _RATINGS)
    return isinstance(held, int | float) and least - _ROUNDING <= held <= most + _ROUNDING


def _heat_fits(held: Mapping[str, Any]) -> bool:
    """The hot score belongs to the numbers beside it."""
    shares, views = held.get("h", 0), held.get("w", 0)
    stirred = 3 * held.get("l", 0) + 5 * held.get("m", 0) + 7 * shares + views / 2
    if stirred <= 0:
        return "x" not in held
    return "x" in held and abs(float(held["x"]) - (math.log(stirred) + held["c"] * _PER_MS)) < 1e-5
