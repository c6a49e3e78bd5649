"""The labelled questions, and the documents that answer them as rows of the truth."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psycopg.types.json import Jsonb

from consumers.search.schema import Kind
from producers import bulk
from runtime.access import POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_rows

_FOLDER: Final = Path(__file__).parent
_KINDS: Final[dict[str, Kind]] = {"person": "users", "course": "courses", "club": "clubs"}

_CONTAINING_SQL: Final = (
    (_FOLDER / "containing.sql").read_text(encoding="utf-8").replace("{VISIBLE}", POST_VISIBLE)
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question and the documents (kind, id) that answer it; any ten of them will do when there are more."""

    part: str
    sort: str
    question: str
    answers: frozenset[tuple[Kind, str]]


async def questions(conn: Connection, scope: Scope) -> list[Case]:
    """All questions; the rows must be there, because what the viewer may see of the network answers too."""
    parts = _read("queries")
    network = parts.pop("network")
    asked = [
        (part, sort, question, frozenset(map(_named, names)))
        for part, sorts in parts.items()
        for sort, of_sort in sorts.items()
        for question, names in of_sort.items()
    ]
    asked += [(part, "network", word, frozenset()) for part, words in network.items() for word in words]
    cases = [
        Case(part, sort, question, answers | await _containing(conn, scope, question))
        for part, sort, question, answers in asked
    ]
    return [case for case in cases if case.answers]


async def _containing(conn: Connection, scope: Scope, question: str) -> frozenset[tuple[Kind, str]]:
    rows = await fetch_rows(conn, _CONTAINING_SQL, {**scope.params(), "word": question.lower()})
    return frozenset(("posts", row[0]) for row in rows)


async def plant(conn: Connection, author: str) -> None:
    """Write the planted documents; everybody may see them."""
    documents = _read("documents")
    for table, rows in (
        ("posts", _posts(documents["posts"], author)),
        ("users", _people(documents["people"])),
        ("courses", _courses(documents["courses"], author)),
        ("study_clubs", _clubs(documents["clubs"], author)),
    ):
        for row in rows:
            await bulk.insert(conn, table, tuple(row), [tuple(row.values())])


def _posts(posts: Mapping[str, Any], author: str) -> Iterator[dict[str, Any]]:
    for key, one in posts.items():
        yield {
            "id": f"planted-{key}",
            "authorId": author,
            "title": one.get("title"),
            "content": one["content"],
            "topicTags": one.get("tags"),
            "visibility": "PUBLIC",
            "updatedAt": "2026-01-01",
        }


def _people(people: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, one in people.items():
        yield {
            "id": f"planted-{key}",
            "password": "",
            "role": "STUDENT",
            "profileVisibility": "PUBLIC",
            "updatedAt": "2026-01-01",
            **one,
        }


def _courses(courses: Mapping[str, Any], instructor: str) -> Iterator[dict[str, Any]]:
    for key, one in courses.items():
        yield {
            "id": f"planted-{key}",
            "title": one["title"],
            "titleTranslations": Jsonb({"en": one["title"], "km": one["km"]}),
            "description": one["description"],
            "category": "General",
            "isPublished": True,
            "instructorId": instructor,
            "updatedAt": "2026-01-01",
        }


def _clubs(clubs: Mapping[str, Any], creator: str) -> Iterator[dict[str, Any]]:
    for key, one in clubs.items():
        yield {"id": f"planted-{key}", "creatorId": creator, "updatedAt": "2026-01-01", **one}


def _named(name: str) -> tuple[Kind, str]:
    prefix, _, key = name.rpartition(":")
    return _KINDS.get(prefix, "posts"), f"planted-{key}"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
