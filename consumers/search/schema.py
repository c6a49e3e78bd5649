"""The four collections, their fields, and what they are called.

A collection's name carries a digest of its fields, and readers only know the alias: when the fields change, the next
`prepare` makes new collections and the engine fills them. Texts are indexed in the form of `text.py`, without a
`locale`: measured on 0.24.1, `th` found 79 % of Khmer words inside sentences, pairs of clusters 99 %, and typos in
Khmer and in English with it. Only field types and parameters that 0.24 and 30 share are used; synonyms are
folded into the documents (`tags.py`), because 30 keeps them elsewhere.

Documents hold tokens instead of ids: Typesense compares strings by their letters and digits alone, so that `a-b`
would be `ab`. Values that are in a document but not listed here are stored and not searched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

Kind = Literal["posts", "users", "clubs", "courses"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Document = dict[str, Any]

EVERYBODY: Final = "public"


def _field(name: str, kind: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **options}


#: In every collection: who may find the document, when the row was made, what its texts sound like.
_COMMON: Final = (_field("audience", "string[]"), _field("createdAt", "int64"), _field("sounds", "string"))

_FIELDS: Final[dict[Kind, tuple[dict[str, Any], ...]]] = {
    "posts": (
        *_COMMON,
        _field("title", "string"),
        _field("tagWords", "string"),
        _field("names", "string"),
        _field("content", "string"),
        _field("tags", "string[]", facet=True),
        _field("postType", "string", facet=True),
        _field("school", "string", facet=True),
        _field("owner", "string"),
        _field("popularity", "int32"),
    ),
    "users": (
        *_COMMON,
        _field("names", "string"),
        _field("username", "string"),
        _field("tagWords", "string"),
        _field("about", "string"),
        _field("role", "string", facet=True),
        _field("school", "string", facet=True),
        _field("owner", "string"),
        _field("popularity", "int32"),
    ),
    "clubs": (
        *_COMMON,
        _field("title", "string"),
        _field("tagWords", "string"),
        _field("content", "string"),
        _field("tags", "string[]", facet=True),
        _field("clubType", "string", facet=True),
        _field("school", "string", facet=True),
        _field("popularity", "int32"),
    ),
    "courses": (
        *_COMMON,
        _field("title", "string"),
        _field("tagWords", "string"),
        _field("names", "string"),
        _field("content", "string"),
        _field("tags", "string[]", facet=True),
        _field("level", "string", facet=True),
        _field("owner", "string"),
        _field("popularity", "int32"),
    ),
}

#: Fields that a query looks in, most telling first, with their weights.
QUERY_BY: Final[dict[Kind, tuple[tuple[str, int], ...]]] = {
    "posts": (("title", 8), ("tagWords", 6), ("names", 4), ("content", 2)),
    "users": (("names", 8), ("username", 6), ("tagWords", 2), ("about", 2)),
    "clubs": (("title", 8), ("tagWords", 6), ("content", 2)),
    "courses": (("title", 8), ("tagWords", 6), ("names", 4), ("content", 2)),
}
#: Fields that autocomplete looks in: what a suggestion shows, and nothing else.
SUGGEST_BY: Final[dict[Kind, tuple[tuple[str, int], ...]]] = {
    "posts": (("title", 2), ("tagWords", 1)),
    "users": (("names", 2), ("username", 1)),
    "clubs": (("title", 1),),
    "courses": (("title", 1),),
}
#: Where to look when nothing is spelled like the question.
SOUNDS_BY: Final = (("sounds", 1),)
SORT_BY: Final = "_text_match:desc,popularity:desc,createdAt:desc"

_PLAIN_ID: Final = re.compile(r"[a-z0-9]{1,60}")


def token(identifier: str) -> str:
    """An id as one word of lower-case letters and digits, a different one for every id."""
    if _PLAIN_ID.fullmatch(identifier):
        return f"i{identifier}"
    return f"h{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()}"


def alias(names: str, kind: Kind) -> str:
    """The name by which a collection is found; readers use those of the plain prefix."""
    return f"{names}_{kind}"


def shadow_names(prefix: str, number: int) -> str:
    """What the aliases of a shadow begin with, in place of the prefix."""
    return f"{prefix}_shadow_{number}"


def state_alias(names: str) -> str:
    """Says which index stands under these names: it points to the index's checkpoint."""
    return f"{names}_state"


def checkpoint_collection(prefix: str, suffix: str = "") -> str:
    """The collection with the engine's checkpoint of one index. `suffix` tells the indexes of a prefix apart."""
    return f"{prefix}_checkpoint{suffix}"


def collection(prefix: str, kind: Kind, suffix: str = "") -> str:
    """The name of the collection with today's fields."""
    digest = hashlib.sha256(json.dumps(_FIELDS[kind], sort_keys=True).encode()).hexdigest()[:8]
    return f"{prefix}_{kind}_{digest}{suffix}"


def of_index(prefix: str, names: Iterable[str], suffix: str) -> list[str]:
    """Those of these collections that belong to one index, with whatever fields."""
    ours = re.compile(rf"{re.escape(prefix)}_({'|'.join(KINDS)})_[0-9a-f]{{8}}{re.escape(suffix)}")
    return [name for name in names if ours.fullmatch(name)]


def outdated(prefix: str, names: Iterable[str], suffix: str = "") -> list[str]:
    """Those of these collections that belong to the index and have other fields than today's."""
    todays = {collection(prefix, kind, suffix) for kind in KINDS}
    return [name for name in of_index(prefix, names, suffix) if name not in todays]


def definition(prefix: str, kind: Kind, suffix: str = "") -> dict[str, Any]:
    """What Typesense is told to create."""
    return {"name": collection(prefix, kind, suffix), "fields": list(_FIELDS[kind])}
