"""Decisions of a rebuild that need no store."""

from __future__ import annotations

import pytest

from consumers.embeddings.tables import of_set
from consumers.engine.rebuild.gates import wrong_counts
from consumers.engine.rebuild.register import eta
from consumers.search.projection import index_of


@pytest.mark.parametrize(
    ("found", "wanted", "closed"),
    [
        (100, 100, False),
        (100, 120, False),  # twenty may be on their way
        (100, 121, True),
        (121, 100, True),
        (99_901, 100_000, False),  # of many, one in a thousand
        (99_899, 100_000, True),
    ],
)
def test_counts(found: int, wanted: int, closed: bool) -> None:
    assert (wrong_counts({"posts": found}, {"posts": wanted}) is not None) == closed


def test_a_kind_without_a_count_counts_as_none() -> None:
    assert wrong_counts({}, {"posts": 100}) == "counts: 0 posts, 100 expected"


def test_seconds_left() -> None:
    assert eta(25, 100, 10.0) == 30
    assert eta(0, 100, 10.0) is None
    assert eta(120, 100, 10.0) == 0, "more rows than were counted at the beginning"


def test_statements_on_the_tables_of_a_shadow() -> None:
    statement = "SELECT FROM embeddings.documents d JOIN embeddings.cache c JOIN embeddings.documents_hash"
    assert of_set({"a": statement}, None) == {"a": statement}
    assert of_set({"a": statement}, 7) == {
        "a": "SELECT FROM embeddings.documents_r7 d JOIN embeddings.cache c JOIN embeddings.documents_hash"
    }


def test_which_index_stands_under_a_name() -> None:
    assert index_of({}, "s", None) == ""
    assert index_of({}, "s", 3) == "_r3"
    switched = {"s_state": "s_checkpoint_r3", "s_shadow_3_state": "s_checkpoint"}
    assert index_of(switched, "s", None) == "_r3"
    assert index_of(switched, "s", 3) == "", "the old one stands under the shadow's name"
    assert index_of({"s_state": "s_checkpoint_r3"}, "s", 3) == "_r3x", "never the one that serves"
