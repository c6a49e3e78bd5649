"""The memory of small functions: asked once, and bounded."""

from __future__ import annotations

from consumers.search.remembered import Remembered


def test_a_text_is_worked_out_once() -> None:
    asked: list[str] = []
    remembered = Remembered(lambda text: asked.append(text) or text.upper())  # type: ignore[func-returns-value]
    assert [remembered[one] for one in ("a", "b", "a")] == ["A", "B", "A"]
    assert asked == ["a", "b"]


def test_it_does_not_grow_without_end() -> None:
    remembered = Remembered(str.upper, most=3)
    for number in range(100):
        assert remembered[f"w{number}"] == f"W{number}"
        assert len(remembered) <= 3
