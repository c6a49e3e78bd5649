"""What a word roughly sounds like, so that it is found however it was misspelt: `sounds` of a document. Pure.

A Latin word becomes its consonants, letters that are confused made one: `fotografy` and `photography` are `ftgrf`.
A run of Khmer becomes overlapping triples of its consonants, without vowels and signs, the two series made one;
once with subscripts (forgives vowels), once without (forgives missing and wrong subscripts as well). Asked only when
nothing is spelled like the question; words as they are spelled are `text.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

from consumers.search.remembered import Remembered
from consumers.search.text import pieces

#: Shorter words sound like too many others.
_LEAST_LETTERS: Final = 4
_LEAST_CODE: Final = 2
#: Two consonants are in half of all texts: whoever types nonsense should find nothing.
_LEAST_ASKED: Final = 3
_SHORT: Final = 120
_TRIPLE: Final = 3

_LATIN: Final = (
    (re.compile(r"^(?:kn|gn|pn)"), "n"),
    (re.compile(r"^wr"), "r"),
    (re.compile(r"^ps"), "s"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"gh"), "g"),
    (re.compile(r"sch|tch|ch|ck|qu?|c"), "k"),
    (re.compile(r"[zx]"), "s"),
    (re.compile(r"[wv]"), "v"),
    (re.compile(r"j"), "g"),
)
_INITIAL_VOWEL: Final = re.compile(r"^[aeiouy]+")
_MUTE: Final = re.compile(r"[aeiouyh]")
_DOUBLED: Final = re.compile(r"(.)\1+")

#: The consonants of both series under one letter each.
_FAMILIES: Final = {
    "k": "កគ", "q": "ខឃ", "g": "ង", "c": "ចជ", "x": "ឆឈ", "j": "ញ", "d": "ដឌតទ", "t": "ឋឍថធ", "n": "ណន", "b": "បព",
    "p": "ផភ", "m": "ម", "y": "យ", "r": "រ", "l": "លឡ", "v": "វ", "s": "សឝឞ", "h": "ហ", "a": "អ",
    "r ": "ឫឬ", "l ": "ឭឮ", "a ": "ឥឦឧឨឩឪឯឰឱឳ",
}  # fmt: skip
_LETTER: Final = {letter: name[0] for name, letters in _FAMILIES.items() for letter in letters}
_NASAL: Final = "\u17c6"
_COENG: Final = "\u17d2"


def index_sounds(*texts: str) -> str:
    """The sounds under which a document with these texts is found."""
    return " ".join(filter(None, (_short(text) if len(text) < _SHORT else _sounds(text) for text in texts)))


def query_sounds(text: str, *, subscripts: bool) -> list[list[str]]:
    """What to ask for: the chain of each word, every one of which has to be there; empty when too little is left."""
    latin, stretches = _parted(text)
    chains = [[code] for code in latin if len(code) >= _LEAST_ASKED]
    for run in stretches:
        letters = _with_subscripts(run) if subscripts else _without_subscripts(run)
        if triples := _triples("1" if subscripts else "2", letters):
            chains.append(triples.split())
    return chains


def _sounds(text: str) -> str:
    latin, stretches = _parted(text)
    khmer: list[str] = []
    for run in stretches:
        khmer += (_triples("1", _with_subscripts(run)), _triples("2", _without_subscripts(run)))
    return " ".join(filter(None, [*latin, *khmer]))


@lru_cache(maxsize=16_384)
def _short(text: str) -> str:
    """Names come again and again."""
    return _sounds(text)


def _parted(text: str) -> tuple[Iterable[str], list[list[str]]]:
    """The sounds of the Latin words, and the clusters of each stretch of Khmer, whatever spaces are in it."""
    latin: list[str] = []
    stretches: list[list[str]] = []
    for piece in pieces(text):
        if isinstance(piece, list):
            latin += map(_CODES.__getitem__, piece)
        else:
            stretches.append(piece.parts)
    return filter(None, dict.fromkeys(latin)), stretches


def _code(word: str) -> str:
    if len(word) < _LEAST_LETTERS or not word.isascii() or not word.isalpha():
        return ""
    code = word.casefold()
    for pattern, replacement in _LATIN:
        code = pattern.sub(replacement, code)
    begins = "a" if _INITIAL_VOWEL.match(code) else ""
    code = _DOUBLED.sub(r"\1", begins + _MUTE.sub("", code))
    return code if len(code) >= _LEAST_CODE else ""


def _consonants(cluster: str) -> str:
    letters = "".join(_LETTER.get(char, "") for char in cluster)
    return f"{letters}m" if _NASAL in cluster else letters


def _with_subscripts(parts: list[str]) -> str:
    letters = "".join(map(_CONSONANTS.__getitem__, parts))
    return "".join([letter for letter, after in pairwise(f"{letters} ") if letter != after])


def _without_subscripts(parts: list[str]) -> str:
    return "".join(map(_FIRST.__getitem__, parts))


def _triples(mark: str, letters: str) -> str:
    if len(letters) < _TRIPLE:
        return ""
    return mark + f" {mark}".join([letters[at : at + _TRIPLE] for at in range(len(letters) - _TRIPLE + 1)])


_CODES: Final = Remembered(_code)
_CONSONANTS: Final = Remembered(_consonants)
_FIRST: Final = Remembered(lambda cluster: _LETTER.get(cluster[0], ""))
