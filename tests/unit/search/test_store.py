"""Decisions of the store and the view that need no server: which error means what, how requests are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.connection import NotThere, error_of
from consumers.search.narrowing import MOST_HITS
from consumers.search.store import Refused, _in_chunks, _refusal
from consumers.search.view import _pages
from runtime.errors import Permanent, Retryable


@pytest.mark.parametrize("status", [401, 403, 404, 408, 422, 429, 500, 502, 503, 504])
def test_what_waiting_can_mend_is_retryable(status: int) -> None:
    assert isinstance(error_of(status, "Not Ready or Lagging"), Retryable)


def test_a_missing_collection_has_a_name_of_its_own() -> None:
    assert isinstance(error_of(404, "Not Found"), NotThere)


def test_a_wrong_request_is_wrong_for_ever() -> None:
    assert isinstance(error_of(400, "Could not parse the filter query"), Permanent)


def test_a_line_that_does_not_fit_is_refused_with_its_reason() -> None:
    refused = _refusal({"id": "x"}, {"success": False, "code": 400, "error": "Field `n` must be an int32."})
    assert refused == [Refused({"id": "x"}, "400 Field `n` must be an int32.")]
    assert _refusal({"id": "x"}, {"success": True}) == []


def test_a_full_server_refuses_no_document() -> None:
    for code in (422, 500, 503):
        with pytest.raises(Retryable):
            _refusal({"id": "x"}, {"success": False, "code": code, "error": "OUT_OF_DISK"})


@given(st.lists(st.integers(1, 200), max_size=12))
def test_imports_are_cut_by_size_and_keep_every_document_in_order(sizes: list[int]) -> None:
    lines = [b"%d" % number * size for number, size in enumerate(sizes, 1)]
    chunks = list(_in_chunks(lines, 300))
    assert [line for chunk in chunks for line in chunk] == lines
    assert all(len(chunk) == 1 or sum(map(len, chunk)) <= 300 for chunk in chunks)
    assert all(sum(map(len, chunk)) + len(after[0]) > 300 for chunk, after in pairwise(chunks))


@given(first=st.integers(0, 1000), count=st.integers(1, 120))
def test_pages_cover_the_hits_that_are_wanted(first: int, count: int) -> None:
    pages = _pages(first, count)
    sizes = {size for _, size in pages}
    assert len(sizes) == 1
    size = sizes.pop()
    assert size <= MOST_HITS
    start, end = (pages[0][0] - 1) * size, pages[-1][0] * size
    assert start <= first
    assert end >= first + count
    assert [page for page, _ in pages] == list(range(pages[0][0], pages[-1][0] + 1))
