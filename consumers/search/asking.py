"""How a question is put to Typesense: first exactly; when nothing is spelled like that, leniently. Pure.

Exactly: every word is there, the last perhaps only begun, and the longest Khmer word as one chain. Leniently, each
with what it forgives: Khmer in pieces; misspelt letters; a wrong beginning, which Typesense 0.24 does not forgive by
itself; other letters of the same sound; words too many. Who asks, in which fields, is `view.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from consumers.search.sounds import query_sounds
from consumers.search.text import chains, is_khmer, query_words

#: Results of each lenient question that are looked at.
LENIENT_HITS: Final = 50
#: Words whose beginnings are varied, and Khmer clusters that are left out in turn; each is a question of its own.
_MOST_WORDS: Final = 3
_MOST_PARTS: Final = 10
_LEAST_LETTERS: Final = 4
#: Words that say nothing of a text, left out when they are what keeps a question from being answered.
_COMMON: Final = frozenset({
    "a", "an", "and", "are", "at", "by", "can", "did", "do", "does", "for", "from", "how", "i", "in", "is", "it", "its",
    "of", "on", "or", "that", "the", "this", "to", "was", "what", "when", "where", "which", "who", "why", "will",
    "with", "you", "your",
})  # fmt: skip
_ANY_LETTER: Final = "x"
#: Smoothing of reciprocal ranks, the customary value.
_RANK_CONSTANT: Final = 60

_EXACT: Final = {"num_typos": 0, "drop_tokens_threshold": 0, "split_join_tokens": "off"}
_MISSPELT: Final = {"num_typos": 2, "drop_tokens_threshold": 0}
_DROPPING: Final = {"num_typos": 2, "drop_tokens_threshold": LENIENT_HITS}


class Question(NamedTuple):
    """One question to Typesense; `sounds` says that it is about the field of that name."""

    parameters: dict[str, Any]
    sounds: bool = False


def exactly(text: str) -> Question | None:
    """The question as it was meant; None when there are no words in it."""
    words = query_words(text)
    if not words:
        return None
    longest = max(chains(text), key=len, default=[])
    if len(longest) < 2 or len(words) < len(longest):
        return Question({"q": " ".join(words), **_EXACT})
    others = [word for word in words if word not in longest]
    return Question({"q": " ".join([_phrase(longest), *others]), **_EXACT})


def leniently(text: str) -> list[list[Question]]:
    """Groups of questions, the most alike first; a group is asked for when those before it found nothing."""
    words = query_words(text)
    joined = [*_joined(words)]
    khmer = any(map(is_khmer, words))
    telling = [word for word in words if word not in _COMMON]
    if telling and len(telling) < len(words):
        words = telling
    pieces = [Question({"q": " ".join(words), **_EXACT})] if khmer or words is telling else []
    misspelt = [Question({"q": " ".join(words), **_MISSPELT}), *_other_beginnings(words)]
    sounding = [*_sounding(text, subscripts=True)]
    partly = [Question({"q": " ".join(words), **_DROPPING}), *_one_by_one(words), *_without_one(text)]
    if khmer:
        roughly = _sounding(text, subscripts=False)
        return [[*pieces, *joined], [*sounding, *misspelt, *roughly], partly]
    return [[*pieces, *joined, misspelt[0]], [*misspelt[1:], *sounding], partly]


def in_turn(answers: Iterable[Sequence[str]]) -> list[str]:
    """All keys, those of the first answer first."""
    return list(dict.fromkeys(key for keys in answers for key in keys))


def by_agreement(answers: Iterable[Sequence[str]]) -> list[str]:
    """All keys, those first that stand high in many answers."""
    scores: dict[str, float] = {}
    for keys in answers:
        for rank, key in enumerate(keys):
            scores[key] = scores.get(key, 0.0) + 1 / (_RANK_CONSTANT + rank)
    return sorted(scores, key=lambda key: -scores[key])


def _phrase(chain: Sequence[str]) -> str:
    return f'"{" ".join(chain)}"'


def _joined(words: Sequence[str]) -> Iterator[Question]:
    """`tae kwon do` as one word; two of several words Typesense joins itself."""
    if 1 < len(words) <= _MOST_WORDS and all(map(str.isascii, words)):
        yield Question({"q": "".join(words), **_EXACT})


def _other_beginnings(words: Sequence[str]) -> Iterator[Question]:
    latin = [word for word in words if word.isascii() and len(word) >= _LEAST_LETTERS]
    for word in latin[:_MOST_WORDS]:
        for other in (
            _ANY_LETTER + word,
            word[0] + _ANY_LETTER + word[1:],
            word[1:],
            word[0] + word[2:],
            word[1] + word[0] + word[2:],
        ):
            changed = " ".join(other if one == word else one for one in words)
            yield Question({"q": changed, **_MISSPELT, "num_typos": 1})


def _sounding(text: str, *, subscripts: bool) -> Iterator[Question]:
    """One phrase at most: Typesense is content with any one of several."""
    found = query_sounds(text, subscripts=subscripts)
    if not found:
        return
    longest = max(found, key=len)
    others = [word for chain in found if chain is not longest for word in chain]
    whole = _phrase(longest) if len(longest) > 1 else longest[0]
    yield Question({"q": " ".join([whole, *others]), **_EXACT, "prefix": "false"}, sounds=True)
    if all(len(chain) == 1 for chain in found):
        yield Question({"q": " ".join([whole, *others]), **_MISSPELT, "num_typos": 1}, sounds=True)


def _one_by_one(words: Sequence[str]) -> Iterator[Question]:
    """A text that has many of the words stands high in many of these."""
    latin = [word for word in words if word.isascii() and len(word) >= _LEAST_LETTERS]
    if len(latin) > 1:
        yield from (Question({"q": word, **_MISSPELT}) for word in latin[:_MOST_PARTS])


def _without_one(text: str) -> Iterator[Question]:
    """The pairs of a Khmer word but for those of one cluster, which may be the wrong one."""
    longest = max(chains(text), key=len, default=[])
    if not 2 <= len(longest) <= _MOST_PARTS:
        return
    for wrong in range(len(longest) + 1):
        kept = [pair for place, pair in enumerate(longest) if place not in (wrong - 1, wrong)]
        if kept:
            yield Question({"q": " ".join(kept), **_EXACT, "prefix": "false"})
