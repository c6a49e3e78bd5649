"""From a row of the truth to the text that is embedded, and its hash. Pure.

Marks that say nothing of the subject (markdown, links, the # of hashtags) go; topic tags come last, once, as words,
so that a shared tag alone does not make two posts similar. Reading rows is `store.py`'s.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from consumers.embeddings.schema import Document, Kind, Model

#: Models read 256 or 512 tokens; more characters than this never reach them.
MAX_CHARS: Final = 2000
MAX_TAGS: Final = 20

#: Regular expressions are for the few texts that have what they look for: looking for a character is far cheaper.
_LINK: Final = re.compile(r"https?://\S+|www\.\S+")
_LINK_SIGNS: Final = ("://", "www.")
_LABELLED_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_HASHTAG: Final = re.compile(r"#[^\s#.,;:!?()]+")
_LONELY_HASH: Final = re.compile(r"#(?=[\s#])")
_MARKS: Final = "*_`~>|$"
_NO_MARKS: Final = re.compile(f"[{_MARKS}]+")
_INVISIBLE: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_NOT_INVISIBLE: Final = re.compile(f"[{_INVISIBLE}]")
_TAG_MARKS: Final = str.maketrans("-_#", "   ")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Few tags are on many posts.
_TAGS_REMEMBERED: Final = 20_000


def document(
    kind: Kind, key: str, parts: Iterable[str | None], tags: Iterable[str | None], model: Model
) -> Document | None:
    """The document of a row; None when it says nothing (a picture without a word)."""
    texts = [_plain(part) for part in parts if part]
    hashtags: list[str] = []
    for place, text in enumerate(texts):
        if "#" in text:
            hashtags += [tag[1:] for tag in _HASHTAG.findall(text)]
            texts[place] = _HASHTAG.sub(" ", text)
    body = _squeeze(" ".join(texts))
    words = _tag_words([*(_spelled(tag) for tag in tags if tag), *map(_spelled, hashtags)], body)
    text = f"{body[:MAX_CHARS]} {words}".strip()
    if not text:
        return None
    prefixed = model.prefix(kind) + text
    return Document(kind, key, prefixed, hashlib.sha256(prefixed.encode()).digest())


def _plain(text: str) -> str:
    """Normalised, without what is not language; hashtags are still in it."""
    if not text.isascii():
        if any(sign in text for sign in _INVISIBLE):
            text = _NOT_INVISIBLE.sub("", text)
        text = unicodedata.normalize("NFC", text)
    if "](" in text:
        text = _LABELLED_LINK.sub(r"\1", text)
    if any(sign in text for sign in _LINK_SIGNS):
        text = _LINK.sub(" ", text)
    if "#" in text:
        text = _LONELY_HASH.sub(" ", text)
    return _NO_MARKS.sub(" ", text) if any(mark in text for mark in _MARKS) else text


def _tag_words(tags: list[str], body: str) -> str:
    """The tags that the text does not have as words already."""
    if not tags:
        return ""
    have = body.casefold()
    words: dict[str, str] = {}
    for spelled in tags[:MAX_TAGS]:
        if spelled and spelled.casefold() not in have:
            words.setdefault(spelled.casefold(), spelled)
    return ", ".join(words.values())


@lru_cache(_TAGS_REMEMBERED)
def _spelled(tag: str) -> str:
    """As words: `ComputerScience` as `Computer Science`."""
    return _squeeze(_CAMEL.sub(" ", _plain(tag)).translate(_TAG_MARKS))


def _squeeze(text: str) -> str:
    return " ".join(text.split())
