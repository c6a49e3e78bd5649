"""From a row of the truth to the text that is embedded, and its hash. Pure.

Marks that say nothing of the subject (markdown, links, the # of hashtags) go; topic tags come last, once, as words,
so that a shared tag alone does not make two posts similar. Reading rows is `store.py`'s.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from consumers.embeddings.schema import Document, Kind, Model

#: Models read 256 or 512 tokens; more characters than this never reach them.
MAX_CHARS: Final = 2000
MAX_TAGS: Final = 20

_LINK: Final = re.compile(r"https?://\S+|www\.\S+")
_LABELLED_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_HASHTAG: Final = re.compile(r"#[^\s#.,;:!?()]+")
_MARKS: Final = re.compile(r"[*_`~>|$]+|#(?=[\s#])")
_INVISIBLE: Final = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
_TAG_MARKS: Final = str.maketrans("-_#", "   ")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPACES: Final = re.compile(r"\s+")


def document(
    kind: Kind, key: str, parts: Iterable[str | None], tags: Iterable[str | None], model: Model
) -> Document | None:
    """The document of a row; None when it says nothing (a picture without a word)."""
    texts = [_plain(part) for part in parts if part]
    hashtags = [tag[1:] for text in texts for tag in _HASHTAG.findall(text)]
    body = _squeeze(" ".join(_HASHTAG.sub(" ", text) for text in texts))
    words = _tag_words([*(_plain(tag) for tag in tags if tag), *hashtags], body)
    text = f"{body[:MAX_CHARS]} {words}".strip()
    if not text:
        return None
    prefixed = model.prefix(kind) + text
    return Document(kind, key, prefixed, hashlib.sha256(prefixed.encode()).digest())


def _plain(text: str) -> str:
    """Normalised, without what is not language; hashtags are still in it."""
    visible = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return _MARKS.sub(" ", _LINK.sub(" ", _LABELLED_LINK.sub(r"\1", visible)))


def _tag_words(tags: list[str], body: str) -> str:
    """The tags that the text does not have as words already; `ComputerScience` as `Computer Science`."""
    have = body.casefold()
    words: dict[str, str] = {}
    for tag in tags[:MAX_TAGS]:
        spelled = _squeeze(_CAMEL.sub(" ", tag).translate(_TAG_MARKS))
        if spelled and spelled.casefold() not in have:
            words.setdefault(spelled.casefold(), spelled)
    return ", ".join(words.values())


def _squeeze(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
