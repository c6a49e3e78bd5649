"""Where in a card the words of a question are: parts of its texts, computed from the row that the viewer passed.

The index is not asked: what it remembers of a text may be older than the right to read it. Parts are plain text with
a flag, so a client has nothing to escape twice and no offsets to count in its own units. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypedDict

from consumers.search.patterns import loose
from consumers.search.schema import Kind
from consumers.search.text import is_khmer, normalise, runs, terms, told_apart

#: Texts of each kind of card that are looked through.
FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    "posts": ("title", "content"),
    "users": ("firstName", "lastName", "englishFirstName", "englishLastName", "username", "headline"),
    "clubs": ("name", "description"),
    "courses": ("title", "description"),
}
_BEFORE: Final = 60
_LENGTH: Final = 200
_LEAST_INSIDE: Final = 4
_ALIKE: Final = 0.75
_MOST_LETTERS: Final = 2

_UNIT: Final = re.compile(
    "(?P<khmer>[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17dd])*)|[^\\W_\u1780-\u17d3\u17dd]+"
)
_TO_THE_END: Final = r"[^\W_\u1780-\u17d3\u17dd]*"
_NOTHING: Final = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*")


class Part(TypedDict):
    """A piece of a text, and whether it is what was asked for."""

    text: str
    match: bool


class _Unit(NamedTuple):
    form: str
    khmer: bool
    start: int
    end: int


def highlighted(question: str, kind: Kind, cards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cards with `highlights`: for each field in which something was found, the parts around it."""
    asked, pattern = _asked(question), _pattern(question)
    return [{**card, "highlights": _of_card(asked, pattern, card, FIELDS[kind])} for card in cards]


def _of_card(
    asked: Sequence[tuple[str, ...]],
    pattern: re.Pattern[str] | None,
    card: Mapping[str, Any],
    fields: Sequence[str],
) -> dict[str, list[Part]]:
    """Words as they are typed, in most texts; else as they are folded; else what resembles them."""
    if pattern is None:
        return {}
    texts = {name: text for name in fields if (text := card.get(name))}
    found = {name: [one.span() for one in pattern.finditer(text)] for name, text in texts.items()}
    if any(found.values()):
        return {name: _parts(texts[name], _merged(spans)) for name, spans in found.items() if spans}
    units = {name: _units(text) for name, text in texts.items()}
    for near in (False, True):
        found = {name: _spans(asked, text, units[name], near=near) for name, text in texts.items()}
        if any(found.values()):
            return {name: _parts(texts[name], spans) for name, spans in found.items() if spans}
    return {}


def _pattern(question: str) -> re.Pattern[str] | None:
    """Any of the words, in either digits and with spaces inside Khmer; a Latin one to its end."""
    words = [loose(term) + ("" if is_khmer(term) else _TO_THE_END) for term in terms(question)]
    return re.compile("|".join(words), re.IGNORECASE) if words else None


def _asked(question: str) -> list[tuple[str, ...]]:
    """The words of a question; Khmer ones as their clusters."""
    words = (
        tuple(told_apart(run)) if khmer else (run.casefold(),)
        for run, khmer, _, _ in runs(normalise(question))
    )
    return [word for word in words if word]


def _units(text: str) -> list[_Unit]:
    return list(_every_unit(text))


def _every_unit(text: str) -> Iterator[_Unit]:
    for match in _UNIT.finditer(text):
        start, end = match.span()
        khmer = match.lastgroup is not None
        yield _Unit(_form(match[0], khmer), khmer, start, end)


@lru_cache(maxsize=65_536)
def _form(unit: str, khmer: bool) -> str:
    source = normalise(unit)
    return "".join(told_apart(source)) if khmer else source.casefold()


def _spans(
    asked: Sequence[tuple[str, ...]], text: str, units: Sequence[_Unit], *, near: bool
) -> list[tuple[int, int]]:
    spans: set[tuple[int, int]] = set()
    for word in asked:
        if "\u1780" <= word[0][:1] <= "\u17b3":
            spans.update(() if near else _khmer_spans(word, text, units))
        else:
            spans.update(
                (one.start, one.end) for one in units if not one.khmer and _is(word[0], one.form, near)
            )
    return _merged(sorted(spans))


def _khmer_spans(word: tuple[str, ...], text: str, units: Sequence[_Unit]) -> Iterator[tuple[int, int]]:
    for at in range(len(units) - len(word) + 1):
        if units[at].form == word[0] and _follows(word, text, units[at : at + len(word)]):
            yield units[at].start, units[at + len(word) - 1].end


def _follows(word: tuple[str, ...], text: str, units: Sequence[_Unit]) -> bool:
    """Whether these units are the word, with nothing to be seen between them."""
    return tuple(one.form for one in units) == word and all(
        _NOTHING.fullmatch(text, one.end, other.start) for one, other in pairwise(units)
    )


def _is(word: str, form: str, near: bool) -> bool:
    if near:
        return (
            len(word) >= _LEAST_INSIDE and abs(len(word) - len(form)) <= _MOST_LETTERS and _alike(word, form)
        )
    return form.startswith(word) or (len(word) >= _LEAST_INSIDE and word in form)


@lru_cache(maxsize=65_536)
def _alike(word: str, form: str) -> bool:
    """Most words of a text share too few letters to be looked at closely, and all of them come again and again."""
    if len(set(word) ^ set(form)) > 2 * _MOST_LETTERS:
        return False
    return SequenceMatcher(None, word, form).ratio() >= _ALIKE


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _parts(text: str, spans: Sequence[tuple[int, int]]) -> list[Part]:
    """The text from a little before the first find, not too long, cut where it is cut by an ellipsis."""
    begin = max(spans[0][0] - _BEFORE, 0)
    end = max(min(begin + _LENGTH, len(text)), spans[0][1])
    pieces = [("…", False)] if begin else []
    at = begin
    for start, stop in spans:
        if stop > end:
            break
        pieces += [(text[at:start], False), (text[start:stop], True)]
        at = stop
    pieces += [(text[at:end], False), ("…" if end < len(text) else "", False)]
    return [{"text": piece, "match": match} for piece, match in pieces if piece]
