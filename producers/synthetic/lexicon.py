"""The words: subjects with their topics and sentences, phrases by post type, names. Read once from `data/*.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

_DATA: Final = Path(__file__).parent / "data"


@dataclass(frozen=True)
class QuizItem:
    """A question with its answer and wrong answers."""

    question: str
    answer: str
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """What a post is about."""

    en: str
    km: str
    tags: tuple[str, ...]
    formula: str
    sentences_en: tuple[str, ...]
    sentences_km: tuple[str, ...]
    quiz: tuple[QuizItem, ...]


@dataclass(frozen=True)
class Subject:
    """A school subject."""

    en: str
    km: str
    tags: tuple[str, ...]
    category: str
    topics: tuple[Topic, ...]


@dataclass(frozen=True)
class Lexicon:
    """All words."""

    subjects: tuple[Subject, ...]
    phrases: Mapping[str, Mapping[str, Sequence[str]]]
    people: Mapping[str, Sequence[Any]]
    learning: Mapping[str, Sequence[str]]


@cache
def lexicon() -> Lexicon:
    """Read the data files."""
    subjects = tuple(_subject(path) for path in sorted((_DATA / "subjects").glob("*.toml")))
    return Lexicon(subjects, _read("phrases"), _read("people"), _read("learning"))


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_DATA / f"{name}.toml").read_text(encoding="utf-8"))


def _subject(path: Path) -> Subject:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    topics = tuple(_topic(topic) for topic in data["topics"])
    return Subject(data["en"], data["km"], tuple(data["tags"]), data["category"], topics)


def _topic(data: Mapping[str, Any]) -> Topic:
    return Topic(
        data["en"],
        data["km"],
        tuple(data["tags"]),
        data["formula"],
        tuple(data["sentences_en"]),
        tuple(data["sentences_km"]),
        tuple(QuizItem(item["q"], item["a"], tuple(item["wrong"])) for item in data["quiz"]),
    )
