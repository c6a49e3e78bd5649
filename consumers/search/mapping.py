"""From a row of the truth to the document that is indexed, or to None when nobody may find it. Pure.

The rows come from `truth.py`, already joined; writing them is `projection.py`. Never in a document: e-mail, phone,
or anything else that a card would not show. `audience` restates `runtime/access.py` as a list of who may find the
document (the viewer's half is `visible.py`); PostgreSQL decides again when an answer is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from consumers.search.schema import EVERYBODY, Document, Kind, token
from consumers.search.sounds import index_sounds
from consumers.search.tags import canonical, spellings
from consumers.search.text import index_words

Row = Mapping[str, Any]

_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,2000}\)")
_MARKUP: Final = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>|https?://(?:www\.)?")


def plain(markdown: str) -> str:
    """A text without what only says how it looks: link targets, HTML tags, the front of addresses."""
    text = _LINK.sub(r" \1 ", markdown) if "](" in markdown else markdown
    return _MARKUP.sub(" ", text) if "<" in text or "://" in text else text


def document(kind: Kind, row: Row) -> Document | None:
    """The document of a row; None when it may be in nobody's results, so that it has to be deleted."""
    return _MAPPERS[kind](row)


def _post(row: Row) -> Document | None:
    if not row["authorActive"]:
        return None
    tags = row["topicTags"] or ()
    title, content = row["title"] or "", plain(f"{row['content']}\n{row['repostComment'] or ''}")
    return {
        **_identity(row),
        "audience": _audience(row["visibility"], row["schoolId"], row["authorId"]),
        "title": index_words(title),
        "tagWords": _tag_words(tags),
        "names": _short_words(_names(row)),
        "content": index_words(content),
        "sounds": index_sounds(title, content, _names(row)),
        "tags": _tags(tags),
        "postType": row["postType"],
        "school": _school(row),
        "owner": token(row["authorId"]),
        "popularity": _popularity(row["likes"] + 2 * row["comments"]),
    }


def _user(row: Row) -> Document | None:
    if not row["active"] or row["profileVisibility"] not in {"PUBLIC", "SCHOOL", "CLASS"}:
        return None
    username = row["username"] or ""
    about = " · ".join(filter(None, (row["headline"], row["professionalTitle"])))
    return {
        **_identity(row),
        "audience": _audience(row["profileVisibility"], row["schoolId"], row["id"]),
        "names": _short_words(_names(row)),
        "username": index_words(username),
        "tagWords": _tag_words([*(row["interests"] or ()), *(row["skills"] or ())]),
        "about": index_words(about),
        "sounds": index_sounds(username, about, _names(row)),
        "role": row["role"],
        "school": _school(row),
        "owner": token(row["id"]),
        "popularity": int(row["isVerified"]),
    }


def _club(row: Row) -> Document | None:
    if not row["isActive"]:
        return None
    tags = row["tags"] or ()
    content = plain("\n".join(filter(None, (row["description"], row["category"], row["subject"]))))
    return {
        **_identity(row),
        "audience": _club_audience(row),
        "title": index_words(row["name"]),
        "tagWords": _tag_words([*tags, *filter(None, (row["category"], row["subject"]))]),
        "content": index_words(content),
        "sounds": index_sounds(row["name"], content),
        "tags": _tags(tags),
        "clubType": row["clubType"],
        "school": _school(row),
        "popularity": _popularity(row["members"]),
    }


def _course(row: Row) -> Document:
    tags = row["tags"] or ()
    own = personal_audience(row["instructorId"])
    title = _translated(row["title"], row["titleTranslations"])
    content = plain(_translated(row["description"], row["descriptionTranslations"]))
    return {
        **_identity(row),
        "audience": [EVERYBODY, own] if row["isPublished"] else [own],
        "title": index_words(title),
        "tagWords": _tag_words([*tags, row["category"]]),
        "names": _short_words(_names(row)),
        "content": index_words(content),
        "sounds": index_sounds(title, content, _names(row)),
        "tags": _tags(tags),
        "level": row["level"],
        "owner": token(row["instructorId"]),
        "popularity": _popularity(row["enrolled"]),
    }


_MAPPERS: Final[dict[Kind, Callable[[Row], Document | None]]] = {
    "posts": _post,
    "users": _user,
    "clubs": _club,
    "courses": _course,
}


def _identity(row: Row) -> Document:
    return {"id": token(row["id"]), "key": row["id"], "createdAt": milliseconds(row["createdAt"])}


def milliseconds(moment: datetime) -> int:
    """Unix time in milliseconds of an upstream timestamp (UTC without saying so)."""
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _audience(visibility: str, school_id: str | None, owner_id: str) -> list[str]:
    """Who may find a post or a person; a visibility that we do not know shows it to its owner alone."""
    own = personal_audience(owner_id)
    match visibility:
        case "PUBLIC":
            return [EVERYBODY, own]
        case "SCHOOL" if school_id is not None:
            return [school_audience(school_id), own]
        case "CLASS":
            return [classmates_audience(owner_id), own]
        case _:
            return [own]


def school_audience(school_id: str) -> str:
    """Everybody of a school."""
    return f"s{token(school_id)}"


def classmates_audience(owner_id: str) -> str:
    """Those who share a class with somebody."""
    return f"c{token(owner_id)}"


def personal_audience(user_id: str) -> str:
    """One person alone."""
    return f"u{token(user_id)}"


def _club_audience(row: Row) -> list[str]:
    """Invite-only clubs are found through the viewer's memberships alone (`visible.py`)."""
    if row["mode"] == "INVITE_ONLY":
        return []
    return [EVERYBODY if row["schoolId"] is None else school_audience(row["schoolId"])]


def _school(row: Row) -> str:
    return "" if row["schoolId"] is None else token(row["schoolId"])


def _names(row: Row) -> str:
    """A person's name in both scripts."""
    return _orders(row["firstName"], row["lastName"], row["englishFirstName"], row["englishLastName"])


@lru_cache(maxsize=16_384)
def _orders(*names: str | None) -> str:
    """First and last names of both scripts, each with the family name first and last."""
    first, last, english_first, english_last = (name or "" for name in names)
    khmer, latin = f"{last} {first} · {first} {last}", f"{english_last} {english_first}"
    return f"{khmer} · {latin} · {english_first} {english_last}"


def _tags(tags: Iterable[str]) -> list[str]:
    return [folded for folded in dict.fromkeys(map(canonical, tags)) if folded]


@lru_cache(maxsize=16_384)
def _short_words(text: str) -> str:
    """Names and tags come again and again."""
    return index_words(text)


def _tag_words(tags: Iterable[str]) -> str:
    """Tags as written, folded to one word, and with the other spellings of their group."""
    forms = dict.fromkeys(chain.from_iterable(map(_forms, tags)))
    return " ".join(filter(None, map(_short_words, forms)))


@lru_cache(maxsize=16_384)
def _forms(tag: str) -> tuple[str, ...]:
    return (tag, canonical(tag), *spellings(tag))


def _translated(text: str, translations: Any) -> str:
    """A text with its translations; upstream keeps them as a JSON object locale → text."""
    others = translations.values() if isinstance(translations, Mapping) else ()
    return "\n".join(dict.fromkeys([text, *(other for other in others if isinstance(other, str))]))


def _popularity(count: int) -> int:
    """Powers of two, so that a single like seldom reorders a result that somebody is paging through."""
    return (1 + count).bit_length() - 1
