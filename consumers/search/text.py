"""What a word is: the one normal form in which texts are indexed and queries asked. Pure.

Khmer is written without spaces, and a dictionary would miss names and new words. So a run of Khmer becomes
overlapping pairs of orthographic clusters (a consonant with its subscripts, vowels and signs): a word inside a
sentence is then a chain of pairs that the sentence has too, whatever stands around it, and a wrong letter spoils
two pairs and leaves the rest. Latin words stay words; Typesense forgives their typos and completes their prefixes.

Which fields there are is `schema.py`; what the text of a row is, `mapping.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from operator import add
from typing import Final, NamedTuple

from consumers.search.remembered import Remembered

#: A word longer than this is no word: somebody pasted a key or a picture.
MAX_WORD: Final = 40
#: More words than these make no query better, and each costs a lookup.
MAX_QUERY_WORDS: Final = 16

_KHMER: Final = "\u1780-\u17d3\u17dd"
_CLUSTER: Final = re.compile(
    r"[\u1780-\u17b3][\u17b6-\u17d1\u17d3\u17dd]*(?:\u17d2[\u1780-\u17b3][\u17b6-\u17d1\u17d3\u17dd]*)*"
)
_MARKS: Final = "".join(
    re.escape(char)
    for char in map(chr, range(0x300, 0x10000))
    if unicodedata.category(char) in {"Mn", "Mc"} and not re.match(f"[{_KHMER}]", char)
)
_WORD: Final = rf"[^\W_{_KHMER}]+(?:[{_MARKS}]+[^\W_{_KHMER}]*)*"
#: Either a run of Khmer or a word of any other script; everything else separates.
_RUN: Final = re.compile(rf"(?P<khmer>[{_KHMER}]+)|{_WORD}")
_WORDS: Final = re.compile(_WORD)
#: The same in what has no other letters, found in half the time.
_ASCII_WORDS: Final = re.compile(r"[A-Za-z0-9]+")
#: Khmer, with runs that only space parts taken together.
_STRETCH: Final = re.compile(rf"([{_KHMER}]+(?:\s+[{_KHMER}]+)*)")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_SILENT: Final = (
    *range(0x200B, 0x2010),
    *(0x2060, 0xFEFF, 0xAD),
    *range(0xFE00, 0xFE10),
    *range(0x300, 0x370),
    *(0x17B4, 0x17B5, 0x17D7),
)
_DIGITS: Final = {
    code: str(unicodedata.decimal(chr(code)))
    for code in range(0x80, 0x20000)
    if unicodedata.category(chr(code)) == "Nd"
}
_FOLDED: Final[dict[int, str]] = {
    **_DIGITS,
    **dict.fromkeys(_SILENT, ""),
    0x17B2: "\u17b1",
    0x17A3: "\u17a2",
    0x17A4: "\u17a2\u17b6",
}
#: A set of characters is fast up to U+FFFF; what lies behind is looked up one by one.
_FOLDED_CHAR: Final = re.compile(
    f"[{''.join(chr(code) for code in _FOLDED if code < 0x10000)}\U00010000-\U0001ffff]"
)
#: Subscript DA and TA look alike and are typed for each other.
_SUBSCRIPT: Final = re.compile(r"\u17d2[\u1780-\u17b3]")
#: Written or left out as people like: `ទូរសព្ទ`, `ទូរស័ព្ទ`.
_OPTIONAL: Final = "\u17d0"
_TWO_PART_VOWELS: Final = {"\u17c1\u17b6": "\u17c4", "\u17c1\u17b8": "\u17be"}


#: Names of programming languages that would be a single letter.
_SIGNED: Final = re.compile(r"(?<![A-Za-z0-9])([CFcf])(\+\+|#)(?![A-Za-z0-9+#])")
_SIGNS: Final = {"++": "plusplus", "#": "sharp"}


def normalise(text: str) -> str:
    """Compatibility forms, accents, digits of all scripts and invisible characters made one; case is kept."""
    if "++" in text or "#" in text:
        text = _SIGNED.sub(lambda match: match[1] + _SIGNS[match[2]], text)
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _FOLDED_CHAR.sub(_fold_char, unicodedata.normalize("NFKD", text)))


def _fold_char(match: re.Match[str]) -> str:
    return _FOLDED.get(ord(match[0]), match[0])


def runs(text: str) -> Iterator[tuple[str, bool, int, int]]:
    """The words and Khmer runs of a normalised text: the run, whether it is Khmer, and where it stands."""
    for match in _RUN.finditer(text):
        start, end = match.span()
        yield match[0], match.lastgroup is not None, start, end


class Stretch(NamedTuple):
    """The clusters of Khmer runs between which there is nothing but space, and those that end a run."""

    parts: list[str]
    ends: list[str]


@lru_cache(maxsize=64)
def pieces(text: str) -> tuple[list[str] | Stretch, ...]:
    """A text as it is indexed: the words before, between and behind its stretches of Khmer.

    Kept for a moment, because a text is indexed by its words and by its sounds.
    """
    found: list[list[str] | Stretch] = []
    for number, piece in enumerate(_STRETCH.split(normalise(text))):
        if number % 2:
            found += _stretches(piece)
        elif words := (_ASCII_WORDS if piece.isascii() else _WORDS).findall(piece):
            found.append(words)
    return tuple(found)


def _stretches(piece: str) -> Iterator[Stretch]:
    """One as a rule; signs without a letter part what is around them."""
    parts: list[str] = []
    ends: list[str] = []
    for run in piece.split():
        if found := told_apart(run):
            parts += found
            ends.append(found[-1])
        elif parts:
            yield Stretch(parts, ends)
            parts, ends = [], []
    if parts:
        yield Stretch(parts, ends)


def clusters(run: str) -> list[str]:
    """The orthographic clusters of a Khmer run, each spelled in one order whatever order it was typed in."""
    return [_canonical(cluster) for cluster in _CLUSTER.findall(run)]


def index_words(text: str) -> str:
    """The words under which a text is found, separated by spaces, in the order of the text.

    The pairs of a stretch of Khmer are an unbroken chain, spaces in it or not; the clusters that end its runs come
    last, for questions of one cluster.
    """
    if not text:
        return ""
    out: list[str] = []
    ends: list[str] = []
    for piece in pieces(text):
        if isinstance(piece, list):
            out += map(_LATIN.__getitem__, piece)
        else:
            out += map(add, piece.parts, piece.parts[1:])  # a space inside a Khmer compound separates nothing
            ends += piece.ends
    return " ".join([*out, *ends])


def query_words(text: str) -> list[str]:
    """The words to ask for, every one of which a matching text has (see `index_words`); empty when there are none.

    A single Khmer cluster begins a pair in the index, so it goes last, where Typesense completes prefixes.
    """
    words: list[str] = []
    single: list[str] = []
    for run, khmer, _, _ in runs(normalise(text)):
        parts = told_apart(run) if khmer else [run.casefold()[:MAX_WORD]]
        if khmer and len(parts) > 1:
            words += _pairs(parts)
        elif khmer:
            single += parts
        else:
            words += parts
    return _few([*words, *single])


def chains(text: str) -> list[list[str]]:
    """The pairs of each Khmer run of a query, which stand one after another in a text that has it."""
    return [
        pairs for run, khmer, _, _ in runs(normalise(text)) if khmer and (pairs := _pairs(told_apart(run)))
    ]


def terms(text: str) -> list[str]:
    """The query as whole units, Khmer runs unsplit, for engines that match substrings."""
    found = []
    for run, khmer, _, _ in runs(normalise(text)):
        found.append("".join(clusters(run)) if khmer else run.casefold()[:MAX_WORD])
    return [term for term in dict.fromkeys(found) if term][:MAX_QUERY_WORDS]


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """The letters and digits of a short text in lower case and nothing else: `Grade-12` and `grade 12` are one."""
    return "".join(
        "".join(clusters(run)) if khmer else run.casefold() for run, khmer, _, _ in runs(normalise(text))
    )


def is_khmer(term: str) -> bool:
    """Whether a term of `terms` is Khmer."""
    return "\u1780" <= term[:1] <= "\u17b3"


def told_apart(run: str) -> list[str]:
    """The clusters of a run as far as the index tells them apart."""
    return list(map(_TOLD_APART.__getitem__, _CLUSTER.findall(run)))


def _pairs(parts: list[str]) -> list[str]:
    return [first + second for first, second in pairwise(parts)]


def _latin(word: str) -> str:
    """A word and, of a CamelCase hashtag, its parts."""
    whole = word.casefold()[:MAX_WORD]
    if (word.isalpha() and word[1:].islower()) or not word.isascii():
        return whole
    parts = _CAMEL.findall(word)
    return " ".join([whole, *(part.casefold()[:MAX_WORD] for part in parts)]) if len(parts) > 1 else whole


def _few(words: list[str]) -> list[str]:
    unique = list(dict.fromkeys(words))
    if len(unique) <= MAX_QUERY_WORDS:
        return unique
    step = -(-len(unique) // MAX_QUERY_WORDS)
    return unique[::step]


@lru_cache(maxsize=16_384)
def _canonical(cluster: str) -> str:
    subscripts = ["\u17d2\u178f" if one == "\u17d2\u178a" else one for one in _SUBSCRIPT.findall(cluster)]
    subscripts.sort(key=lambda one: one == "\u17d2\u179a")
    marks = "".join(sorted(set(_SUBSCRIPT.sub("", cluster[1:])), key=_mark_order))
    for parts, whole in _TWO_PART_VOWELS.items():
        marks = marks.replace(parts, whole)
    return cluster[0] + "".join(subscripts) + marks


def _mark_order(mark: str) -> tuple[int, str]:
    """Register shifters, then vowels, then the other signs: the order in which Khmer is meant to be encoded."""
    if mark in "\u17c9\u17ca":
        return 0, mark
    return (1, mark) if "\u17b6" <= mark <= "\u17c5" else (2, mark)


_LATIN: Final = Remembered(_latin)
_TOLD_APART: Final = Remembered(lambda cluster: _canonical(cluster).replace(_OPTIONAL, ""))
