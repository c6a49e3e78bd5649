"""What a document of the index should be, said a second time: from the rows of sql/expected.sql, for `verification.py`.

This file and `mapping.py` state the same rules and share no line, so that a mistake in either shows as a difference:
it is not imported here, and import-linter sees to it. Shared are the tools of the text (`text.py`, `tags.py`: what a
word is, which tags are one) and the tokens of `schema.py`, as they are shared with those who ask the index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from consumers.search.schema import Document, Kind, token
from consumers.search.sounds import index_sounds
from consumers.search.tags import canonical, spellings
from consumers.search.text import index_words

Row = Mapping[str, Any]

#: What the sort of a thing is called in each collection.
_SORT: Final[Mapping[Kind, str]] = {
    "posts": "postType",
    "users": "role",
    "clubs": "clubType",
    "courses": "level",
}
_TARGETS: Final = re.compile(r"!?\[(?P<label>[^\[\]\n]{0,300})\]\([^()\s]{0,2000}\)")
_LOOKS: Final = re.compile(r"<(?:/|)[A-Za-z][^<>\n]{0,200}>|https?://(?:www\.)?")
#: Bookkeeping of the writer, no content.
_WRITERS: Final = frozenset({"_gen"})


def expected(kind: Kind, row: Row) -> Document:
    """The document of a row that may be found."""
    document: Document = {
        "id": token(row["id"]),
        "key": row["id"],
        "createdAt": row["created"],
        "audience": sorted(_finders(row)),
        "tagWords": _tag_text([*(row["tags"] or ()), *row.get("subjects", ())]),
        "popularity": row["weight"] if kind == "users" else _magnitude(row["weight"]),
        _SORT[kind]: row["sort"],
    }
    names = _names(row) if kind != "clubs" else ""
    heard = (row["username"], row["body"]) if kind == "users" else (row["title"], _read(row["body"]))
    document["sounds"] = index_sounds(*heard, names)
    if kind != "users":
        document |= {"title": index_words(row["title"]), "content": index_words(_read(row["body"]))}
        document["tags"] = [
            name for name in dict.fromkeys(canonical(tag) for tag in row["tags"] or ()) if name
        ]
    else:
        document |= {"username": index_words(row["username"]), "about": index_words(row["body"])}
    if kind != "clubs":
        document |= {"names": _few_words(names), "owner": token(row["owner"])}
    if kind != "courses":
        document["school"] = token(row["school"]) if row["school"] is not None else ""
    return document


def comparable(document: Document) -> Document:
    """A document of the index without what only its writer needs; the audience is a set."""
    content = {name: value for name, value in document.items() if name not in _WRITERS}
    if isinstance(content.get("audience"), list):
        content["audience"] = sorted(content["audience"])
    return content


def _finders(row: Row) -> Iterable[str]:
    """Who may find it, as the words that `visible.py` asks for: everybody, a school, classmates, oneself."""
    if "owner" in row:
        yield f"u{token(row['owner'])}"
    if row["shown_to"] == "PUBLIC":
        yield "public"
    elif row["shown_to"] == "SCHOOL" and row["school"] is not None:
        yield f"s{token(row['school'])}"
    elif row["shown_to"] == "CLASS":
        yield f"c{token(row['owner'])}"


def _read(markdown: str) -> str:
    """What one reads of a text: labels of links without their targets, no tags, no front of addresses."""
    return _LOOKS.sub(" ", _TARGETS.sub(lambda link: f" {link['label']} ", markdown))


def _names(row: Row) -> str:
    """Family name first and last, in both scripts."""
    first, last = row["first"] or "", row["last"] or ""
    latin_first, latin_last = row["latin_first"] or "", row["latin_last"] or ""
    return f"{last} {first} · {first} {last} · {latin_last} {latin_first} · {latin_first} {latin_last}"


def _tag_text(tags: Iterable[str]) -> str:
    forms: dict[str, None] = {}
    for tag in tags:
        forms |= dict.fromkeys((tag, canonical(tag), *spellings(tag)))
    return " ".join(words for form in forms if (words := _few_words(form)))


@lru_cache(maxsize=16_384)
def _few_words(text: str) -> str:
    return index_words(text)


def _magnitude(count: int) -> int:
    """How many times one more than the count can be halved."""
    halvings = 0
    while (count + 1) >> (halvings + 1):
        halvings += 1
    return halvings
