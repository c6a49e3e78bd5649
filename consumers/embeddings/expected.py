"""Which text a thing should be embedded by, said a second time, for `verification.py`.

This file and `text.py` state the same rules and share no line, so that a mistake in either shows as a difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

_INVISIBLE: Final = {0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF}
_LABEL: Final = re.compile(r"!?\[(?P<label>[^\]]*)\]\([^)]*\)")
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+")
_DECORATION: Final = re.compile(r"[*_`~>|$]+|#(?=[\s#])")
_HASHTAG: Final = re.compile(r"#(?P<tag>[^\s#.,;:!?()]+)")
_HUMP: Final = re.compile(r"([a-z0-9])([A-Z])")
_LONGEST: Final = 2000
_MOST_TAGS: Final = 20


def expected_text(row: Mapping[str, Any]) -> str:
    """The text of a row; empty when it says nothing."""
    visible = [_bare(text) for text in row["texts"] if text]
    body = _one_space(" ".join(_HASHTAG.sub(" ", text) for text in visible))
    tags = [_bare(tag) for tag in row["tags"] or () if tag]
    tags += [found["tag"] for text in visible for found in _HASHTAG.finditer(text)]
    return f"{body[:_LONGEST]} {', '.join(_new_words(tags[:_MOST_TAGS], body.casefold()))}".strip()


def _bare(text: str) -> str:
    """Normalised, without what cannot be seen or is no language."""
    seen = "".join(char for char in text if ord(char) not in _INVISIBLE)
    labels = _LABEL.sub(lambda link: link["label"], unicodedata.normalize("NFC", seen))
    return _DECORATION.sub(" ", _ADDRESS.sub(" ", labels))


def _new_words(tags: list[str], told: str) -> Iterator[str]:
    """Tags as words, each once, without those that the text has."""
    known: set[str] = set()
    for tag in tags:
        words = _HUMP.sub(r"\1 \2", tag)
        for mark in "-_#":
            words = words.replace(mark, " ")
        words = _one_space(words)
        folded = words.casefold()
        if words and folded not in told and folded not in known:
            known.add(folded)
            yield words


def _one_space(text: str) -> str:
    return " ".join(text.split())
