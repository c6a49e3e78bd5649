"""Query terms as conditions on raw texts, so that PostgreSQL finds as typed what the index finds normalised. Pure.

A Latin word becomes a pattern that begins where a word begins, as a prefix does in the index; a run of Khmer becomes
the substrings (`ILIKE`) that it may be typed as, because trigram indexes can't serve patterns of Khmer. Both allow
for Khmer digits. `loose` also allows for the spaces, mostly invisible ones, that people put between Khmer clusters;
it reads every row, so it is asked only when nothing else was found. Terms consist of letters, marks and digits
(`text.terms`): nothing in them means anything to a pattern.

Tolerance against the index: accents, the order of typed vowel signs and full-width forms are not folded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from consumers.search.tags import spellings
from consumers.search.text import clusters, fold, is_khmer

_ZERO: Final = 0x17E0
_KHMER_DIGITS: Final = {ord(str(digit)): chr(_ZERO + digit) for digit in range(10)}
_EITHER_DIGIT: Final = {ord(str(digit)): f"[{digit}{chr(_ZERO + digit)}]" for digit in range(10)}
#: Spellings that `text.normalise` makes one: subscript TA for DA, and the two letters of the word "give".
_ALIKE: Final = (("\u17d2\u178f", "\u17d2\u178a"), ("\u17b1", "\u17b2"))
_GAP: Final = "[ \u200b]?"
_WORDS: Final = re.compile(r"[^\W_]+")


def word_pattern(term: str) -> str:
    """A case-insensitive pattern for a term that is not Khmer."""
    letters = term.translate(_EITHER_DIGIT)
    return letters if term.isdecimal() else f"(?<![A-Za-z0-9]){letters}"


def substrings(term: str) -> list[str]:
    """`ILIKE` patterns for a Khmer term, in each spelling that is common."""
    forms = [term]
    for one, other in _ALIKE:
        forms += [form.replace(one, other) for form in forms if one in form]
    return [f"%{form}%" for form in forms]


def loose(term: str) -> str:
    """A pattern for any term, with or without spaces inside Khmer."""
    if not is_khmer(term):
        return word_pattern(term)
    return _GAP.join(_either(cluster) for cluster in clusters(term))


def tag_variants(terms: Sequence[str]) -> list[str]:
    """How a tag of these words may be spelled in a row: joined or hyphenated, in the usual cases, in other words."""
    whole = " ".join(terms)
    forms = {whole, *terms, *spellings(whole), *(other for word in terms for other in spellings(word))}
    forms |= {form.translate(_KHMER_DIGITS) for form in forms}
    return sorted({case for form in forms if fold(form) for case in _cases(form)})


def _either(cluster: str) -> str:
    for one, other in _ALIKE:
        cluster = cluster.replace(one, f"{one[:-1]}[{one[-1]}{other[-1]}]")
    return cluster


def _cases(form: str) -> Iterable[str]:
    if not form.isascii():
        yield form
        return
    parts = _WORDS.findall(form)
    for joint in ("", "-", " ", "_"):
        lower = joint.join(parts).lower()
        yield from (lower, lower.upper(), lower.capitalize(), joint.join(part.capitalize() for part in parts))
