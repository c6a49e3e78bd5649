"""Where in a card the words of a question are: parts of its texts, computed from the row that the viewer passed.

The index is not asked: what it remembers of a text may be older than the right to read it. Parts are plain text with
a flag, so a client has nothing to escape twice and no offsets to count in its own units. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache, partial
from typing import Any, Final, TypedDict

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

_LATIN: Final = re.compile(r"[^\W_\u1780-\u17d3\u17dd]+")
_TO_THE_END: Final = re.compile(r"[^\W_\u1780-\u17d3\u17dd]*")
_SIGNS: Final = "(?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17dd])*"
_CLUSTER: Final = re.compile(f"[\u1780-\u17b3]{_SIGNS}")
_NOTHING: Final = r"[\s\u200b-\u200f\u2060\ufeff]*"
#: Letters that `normalise` makes one.
_SAME_LETTER: Final = {"\u17b1": "[\u17b1\u17b2]", "\u17a2": "[\u17a2-\u17a4]"}

Spans = list[tuple[int, int]]
#: Where something is in a text.
Finder = Callable[[str], Spans]


class Part(TypedDict):
    """A piece of a text, and whether it is what was asked for."""

    text: str
    match: bool


def highlighted(question: str, kind: Kind, cards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cards with `highlights`: for each field in which something was found, the parts around it."""
    typed = [_as_typed(question)]
    marked = [_of_card(typed, card, FIELDS[kind]) for card in cards]
    if not all(marked):
        others = [*_otherwise(question)]
        marked = [
            found or _of_card(others, card, FIELDS[kind]) for found, card in zip(marked, cards, strict=True)
        ]
    return [{**card, "highlights": found} for card, found in zip(cards, marked, strict=True)]


def _of_card(
    ways: Sequence[Sequence[Finder]], card: Mapping[str, Any], fields: Sequence[str]
) -> dict[str, list[Part]]:
    """What the first of these ways finds that finds anything."""
    texts = {name: text for name in fields if (text := card.get(name))}
    for finders in ways:
        found = {name: _merged([one for find in finders for one in find(texts[name])]) for name in texts}
        if any(found.values()):
            return {name: _parts(texts[name], spans) for name, spans in found.items() if spans}
    return {}


def _as_typed(question: str) -> list[Finder]:
    """The words in either digits and with spaces inside Khmer, a Latin one to its end: enough for most texts."""
    return [_typed(term) for term in terms(question)]


def _typed(term: str) -> Finder:
    if is_khmer(term):  # which has no cases: a pattern without them is looked for by its first letters
        return partial(_matches, re.compile(loose(term)))
    if term.isascii() and term.isalpha():
        return partial(_typed_letters, term)
    return partial(_matches, _to_the_end(term))


def _to_the_end(term: str) -> re.Pattern[str]:
    return re.compile(loose(term) + _TO_THE_END.pattern, re.IGNORECASE)


def _matches(pattern: re.Pattern[str], text: str) -> Spans:
    return [one.span() for one in pattern.finditer(text)]


def _typed_letters(word: str, text: str) -> Spans:
    """The same as the pattern, ten times as fast: most texts of a page have the word once or not at all."""
    lower = text.lower()
    if len(lower) != len(text):
        return _matches(_to_the_end(word), text)
    spans: Spans = []
    at = lower.find(word)
    while at >= 0:
        end = at + len(word)
        before = lower[at - 1 : at]
        if not (before.isascii() and before.isalnum()):
            match = _TO_THE_END.match(text, end)
            end = match.end() if match else end
            spans.append((at, end))
        at = lower.find(word, end)
    return spans


def _otherwise(question: str) -> Iterator[list[Finder]]:
    """The words as they are folded, then what resembles them, which Khmer has not."""
    asked = list(runs(normalise(question)))
    khmer = [tuple(told_apart(run)) for run, is_run_khmer, _, _ in asked if is_run_khmer]
    latin = [run.casefold() for run, is_run_khmer, _, _ in asked if not is_run_khmer]
    folded = partial(_words, _Marked(lambda form: any(_begins(word, form) for word in latin)))
    near = partial(_words, _Marked(lambda form: any(_resembles(word, form) for word in latin)))
    yield [*(partial(_khmer, word, _letters(word)) for word in khmer if word), *([folded] if latin else [])]
    yield [near] if latin else []


class _Marked(dict[str, bool]):
    """Whether a word of a text is one of the question: the texts of a page share most of their words."""

    def __init__(self, is_one: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_one = is_one

    def __missing__(self, word: str) -> bool:
        found = self[word] = self._is_one(_form(word))
        return found


def _words(marked: _Marked, text: str) -> Spans:
    if not any(map(marked.__getitem__, _LATIN.findall(text))):
        return []
    return [one.span() for one in _LATIN.finditer(text) if marked[one[0]]]


def _letters(word: Sequence[str]) -> re.Pattern[str]:
    """Where a Khmer word may be: its letters one after the other, whatever signs are on them; from every place."""
    places = [_SAME_LETTER.get(cluster[0], cluster[0]) + _SIGNS for cluster in word]
    return re.compile(f"(?<!\u17d2)(?=({_NOTHING.join(places)}))")


def _khmer(word: tuple[str, ...], letters: re.Pattern[str], text: str) -> Spans:
    return [
        one.span(1)
        for one in letters.finditer(text)
        if tuple(_khmer_form(cluster) for cluster in _CLUSTER.findall(one[1])) == word
    ]


@lru_cache(maxsize=16_384)
def _khmer_form(cluster: str) -> str:
    return "".join(told_apart(normalise(cluster)))


@lru_cache(maxsize=65_536)
def _form(word: str) -> str:
    return normalise(word).casefold()


def _begins(word: str, form: str) -> bool:
    return form.startswith(word) or (len(word) >= _LEAST_INSIDE and word in form)


def _resembles(word: str, form: str) -> bool:
    """Most words of a text share too few letters to be looked at closely."""
    if len(word) < _LEAST_INSIDE or abs(len(word) - len(form)) > _MOST_LETTERS:
        return False
    if len(set(word) ^ set(form)) > 2 * _MOST_LETTERS:
        return False
    return SequenceMatcher(None, word, form).ratio() >= _ALIKE


def _merged(spans: Spans) -> Spans:
    merged: Spans = []
    for start, end in sorted(spans):
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
