"""Highlights: the parts of a text that answer a question, found in the text itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.highlights import Part, highlighted


def parts(question: str, content: str, **card: Any) -> dict[str, list[Part]]:
    [one] = highlighted(question, "posts", [{"title": None, "content": content, **card}])
    found: dict[str, list[Part]] = one["highlights"]
    return found


def matches(question: str, content: str) -> list[str]:
    return [part["text"] for part in parts(question, content).get("content", ()) if part["match"]]


@pytest.mark.parametrize(
    ("question", "content", "expected"),
    [
        ("calculus", "Calculus and more calculus.", ["Calculus", "calculus"]),
        ("calc", "Calculus", ["Calculus"]),
        ("calculs", "Calculus", ["Calculus"]),
        ("science", "#ComputerScience", ["ComputerScience"]),
        ("ថ្នាក់ទី12", "សិស្សថ្នាក់ទី១២ត្រូវ", ["ថ្នាក់ទី១២"]),
        ("កុំព្យូទ័រ", "ក្លឹបកុំព្យូទ័ររបស់យើង", ["កុំព្យូទ័រ"]),
        ("សៀមរាប", "ខេត្ត\u200bសៀម\u200bរាប\u200bនិង", ["សៀម\u200bរាប"]),
        ("ឲ្យ", "ធ្វើឱ្យល្អ", ["ឱ្យ"]),
        ("etat", "l'État", ["État"]),
        ("<b>", "a <b>bold</b> word", ["b", "bold", "b"]),
        ("zebra", "nothing of it", []),
    ],
)
def test_what_is_marked(question: str, content: str, expected: list[str]) -> None:
    assert matches(question, content) == expected


def test_only_fields_with_a_find_are_there() -> None:
    assert set(parts("algebra", "Exercises", title="Algebra")) == {"title"}
    assert parts("algebra", "Exercises") == {}


def test_a_long_text_is_cut_around_the_find() -> None:
    found = parts("needle", f"{'hay ' * 200}needle {'hay ' * 200}")["content"]
    text = "".join(part["text"] for part in found)
    assert text.startswith("…")
    assert text.endswith("…")
    assert len(text) < 250


@given(st.text(max_size=50), st.text(max_size=150))
def test_parts_are_the_text(question: str, content: str) -> None:
    for found in parts(question, content).values():
        assert "".join(part["text"] for part in found) == content
        assert any(part["match"] for part in found)
