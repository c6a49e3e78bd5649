"""Which answers are right, and what they are worth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.live.grading import is_correct, points

CHOICES = ["Phnom Penh", "Siem Reap", "ភ្នំពេញ"]


def choice(right: Any) -> dict[str, Any]:
    return {"type": "MULTIPLE_CHOICE", "options": CHOICES, "correctAnswer": right}


@pytest.mark.parametrize("right", [1, "1", "B", "b", "siem  reap"])
@pytest.mark.parametrize("answer", [1, "1", "B", " b ", "Siem Reap"])
def test_a_choice_may_be_named_in_any_way(right: Any, answer: Any) -> None:
    assert is_correct(choice(right), answer)


@pytest.mark.parametrize("answer", [0, "0", "A", "Phnom Penh", 7, "", None, True, [], {}, "-1", "1.0", "²"])
def test_other_answers_are_wrong(answer: Any) -> None:
    assert not is_correct(choice(1), answer)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ({"type": "TRUE_FALSE", "correctAnswer": "True"}, [True, "true", "TRUE", 0], [False, "false", "", None, 1]),
        ({"type": "TRUE_FALSE", "correctAnswer": False, "options": ["True", "False"]}, ["False", 1, "B"], [True, 0]),
        ({"type": "SHORT_ANSWER", "correctAnswer": "Mekong "}, ["mekong", "MEKONG", "  Mekong"], ["mekon", ""]),
        ({"type": "FILL_IN_BLANK", "correctAnswer": "9|nine|៩"}, [9, "Nine", "៩"], [8, "9|nine", None]),
        ({"type": "FILL_IN_BLANK", "correctAnswer": ["a", "b"]}, ["A", "b"], ["c", ["a", "b"]]),
        ({"type": "ORDERING", "correctAnswer": ["x", "y"]}, [["X", "y"], '["x","y"]'], [["y", "x"], [], "xy"]),
        (
            {"type": "MATCHING", "correctAnswer": {"a": "1", "b": "2"}},
            [{"b": 2, "A": "1"}, [["a", "1"], ["b", "2"]]],
            [{"a": "2"}, {}, [], None],
        ),
        ({"type": "ESSAY", "correctAnswer": None}, [], ["", None, "anything"]),
        ({"type": "MULTIPLE_CHOICE", "options": [], "correctAnswer": None}, [], [None, "", 0]),
    ],
)  # fmt: skip
def test_every_type(question: dict[str, Any], right: list[Any], wrong: list[Any]) -> None:
    assert all(is_correct(question, answer) for answer in right)
    assert not any(is_correct(question, answer) for answer in wrong)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from(
    ["MULTIPLE_CHOICE", "TRUE_FALSE", "SHORT_ANSWER", "FILL_IN_BLANK", "ORDERING", "MATCHING", "NEW", None]
)


@given(kinds, json, json, st.none() | st.lists(json, max_size=4))
def test_no_shape_of_question_or_answer_breaks_it(
    kind: str | None, right: Any, answer: Any, options: Any
) -> None:
    assert is_correct({"type": kind, "correctAnswer": right, "options": options}, answer) in (True, False)


@given(st.integers(1, 100_000), st.floats(0, 10), st.floats(0, 700), st.integers(5, 600))
def test_points_fall_with_time_and_never_below_their_worth(
    worth: int, bonus: float, seconds: float, of_seconds: int
) -> None:
    earned = points(worth, bonus, seconds, of_seconds)
    assert worth <= earned <= round(worth * (1 + bonus)) + 1
    assert points(worth, bonus, seconds + 1, of_seconds) <= earned


def test_the_default_range_is_one_thousand_to_fifteen_hundred() -> None:
    assert [points(1000, 0.5, seconds, 30) for seconds in (0, 15, 30, 31)] == [1500, 1250, 1000, 1000]
