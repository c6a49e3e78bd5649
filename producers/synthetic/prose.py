"""Texts as pupils and teachers write them: Khmer, English, or both in one post.

Khmer has no spaces between words; some writers put a zero-width space there. Numbers are Khmer digits more often than
not. Posts carry hashtags in both scripts, LaTeX, emoji and **markdown**, and their tags come in every spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from producers.synthetic.lexicon import Subject, Topic, lexicon

_KHMER_DIGITS: Final = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")
_ZERO_WIDTH_SPACE: Final = "\u200b"
_COMMON_TAGS: Final = ("StudyTips", "national-exam", "bac2-2026", "បាក់ឌុប", "Homework", "exam-prep", "science")
_LISTS: Final = {"TUTORIAL": "{}. ", "RESOURCE": "- ", "ASSIGNMENT": "- "}
_LANGUAGES: Final = ("km", "en", "mixed")


@dataclass(frozen=True)
class Written:
    """A post's text."""

    title: str | None
    content: str
    tags: list[str] | None


class Writer:
    """Somebody who writes about one topic; all chance comes from `rng`."""

    def __init__(self, rng: Random, subject: Subject, topic: Topic) -> None:
        self._rng = rng
        self._subject = subject
        self._topic = topic
        self._grade = rng.randint(7, 12)
        self._language = rng.choices(_LANGUAGES, (35, 30, 35))[0]
        self._zero_width_spaces = rng.random() < 0.15
        self._khmer_digits = rng.random() < 0.7

    def post(self, kind: str) -> Written:
        """A whole post of one type."""
        rng, phrases = self._rng, lexicon().phrases[kind]
        title = self._phrase(phrases, "titles") if rng.random() < 0.75 else None
        opener, closer = self._phrase(phrases, "openers"), self._phrase(phrases, "closers")
        content = f"{_ended(opener)}{self._gap(kind)}{self._body(kind)}"
        if rng.random() < 0.7:
            content += closer if content.endswith("\n") else f" {closer}"
        return Written(title, self._decorate(content), self.tags())

    def comment(self) -> str:
        """A remark under a post."""
        pools = lexicon().phrases["comments"]
        pool = self._rng.choice(("mixed", "en", "km") if self._language == "mixed" else (self._language,))
        text = self.say(self._rng.choice(pools[pool]))
        if self._rng.random() < 0.2:
            text += f" {self._sentence()}"
        return text

    def say(self, text: str, *, khmer: bool | None = None) -> str:
        """A phrase from the lexicon with its places filled; whether it is Khmer shows in its script."""
        khmer = _is_khmer(text) if khmer is None else khmer
        numbers = {"n": self._rng.randint(2, 9), "m": self._rng.randint(10, 99), "grade": self._grade}
        for name, number in numbers.items():
            text = text.replace(f"{{{name}}}", self._digits(number, khmer))
        text = text.replace("{topic}", self._name(khmer))
        text = text.replace("{subject}", self._subject.km if khmer else self._subject.en)
        return text.replace("|", _ZERO_WIDTH_SPACE if self._zero_width_spaces else "")

    def tags(self) -> list[str] | None:
        """Free tags in whatever spelling; a few posts have none."""
        rng = self._rng
        if rng.random() < 0.05:
            return None
        pool = [*self._subject.tags, *self._topic.tags, f"grade-{self._grade}", rng.choice(_COMMON_TAGS)]
        chosen = [rng.choice(self._topic.tags), *rng.sample(pool, rng.randint(0, 4))]
        return list(dict.fromkeys(chosen))

    def _phrase(self, phrases: Mapping[str, Sequence[str]], part: str) -> str:
        language = self._one_language()
        return self.say(self._rng.choice(phrases[f"{part}_{language}"]), khmer=language == "km")

    def _one_language(self) -> str:
        return self._rng.choice(("km", "en")) if self._language == "mixed" else self._language

    def _sentence(self) -> str:
        return self._sentences(1)[0]

    def _sentences(self, count: int) -> list[str]:
        rng, topic = self._rng, self._topic
        pools = {"km": list(topic.sentences_km), "en": list(topic.sentences_en)}
        chosen = []
        for _ in range(count):
            language = self._one_language()
            if not pools[language]:
                break
            text = pools[language].pop(rng.randrange(len(pools[language])))
            chosen.append(self.say(text, khmer=language == "km") + ("។" if language == "km" else ""))
        return chosen

    def _body(self, kind: str) -> str:
        sentences = self._sentences(self._rng.randint(2, 4))
        if self._topic.formula and self._rng.random() < 0.35:
            sentences.append(self.say(self._topic.formula, khmer=False))
        mark = _LISTS.get(kind)
        if mark is None:
            return " ".join(sentences)
        return "\n".join(mark.format(place) + text for place, text in enumerate(sentences, 1)) + "\n"

    def _gap(self, kind: str) -> str:
        return "\n" if kind in _LISTS or self._rng.random() < 0.3 else " "

    def _decorate(self, content: str) -> str:
        rng = self._rng
        if rng.random() < 0.3:
            name = self._topic.km if self._topic.km in content else self._topic.en
            content = content.replace(name, f"**{name}**", 1)
        if rng.random() < 0.4:
            content += f" {rng.choice(lexicon().phrases['emoji']['all'])}"
        if rng.random() < 0.6:
            pool = [*self._subject.tags, *self._topic.tags]
            content += " " + " ".join(_hashtag(tag) for tag in rng.sample(pool, rng.randint(1, 3)))
        return content

    def _name(self, khmer: bool) -> str:
        if not khmer:
            return self._topic.en
        return f"{self._topic.km} ({self._topic.en})" if self._rng.random() < 0.15 else self._topic.km

    def _digits(self, number: int, khmer: bool) -> str:
        text = str(number)
        return text.translate(_KHMER_DIGITS) if khmer and self._khmer_digits else text


def _hashtag(tag: str) -> str:
    return "#" + re.sub(r"[\s&]+", "", tag.replace("-", ""))


def _ended(sentence: str) -> str:
    return sentence if not _is_khmer(sentence) or sentence[-1] in "?!៖។ៗ" else sentence + "។"


def _is_khmer(text: str) -> bool:
    return any("\u1780" <= character <= "\u17ff" for character in text)
