"""Decisions of the store and the view that need no server: which error means what, how requests are cut."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.store import (
    IMPORT_BYTES,
    IMPORT_DOCUMENTS,
    NotThere,
    Refused,
    _error,
    _import_bodies,
    _refusal,
)
from consumers.search.view import _MOST, _pages
from runtime.errors import Permanent, Retryable


@pytest.mark.parametrize("status", [401, 403, 404, 408, 422, 429, 500, 502, 503, 504])
def test_what_waiting_can_mend_is_retryable(status: int) -> None:
    assert isinstance(_error(status, "Not Ready or Lagging"), Retryable)


def test_a_missing_collection_has_a_name_of_its_own() -> None:
    assert isinstance(_error(404, "Not Found"), NotThere)


def test_a_wrong_request_is_wrong_for_ever() -> None:
    assert isinstance(_error(400, "Could not parse the filter query"), Permanent)


def test_a_line_that_does_not_fit_is_refused_with_its_reason() -> None:
    refused = _refusal({"id": "x"}, {"success": False, "code": 400, "error": "Field `n` must be an int32."})
    assert refused == [Refused({"id": "x"}, "400 Field `n` must be an int32.")]
    assert _refusal({"id": "x"}, {"success": True}) == []


def test_a_full_server_refuses_no_document() -> None:
    for code in (422, 500, 503):
        with pytest.raises(Retryable):
            _refusal({"id": "x"}, {"success": False, "code": code, "error": "OUT_OF_DISK"})


@given(st.lists(st.integers(0, IMPORT_BYTES // 2), max_size=8))
def test_imports_are_cut_by_size_and_keep_every_document_in_order(sizes: list[int]) -> None:
    documents = [{"id": str(number), "text": "x" * size} for number, size in enumerate(sizes)]
    requests = list(_import_bodies(documents))
    assert [one for chunk, _ in requests for one in chunk] == documents
    for chunk, body in requests:
        assert [orjson.loads(line) for line in body.split(b"\n")] == chunk
        assert len(chunk) == 1 or len(body) <= IMPORT_BYTES + len(chunk)


def test_imports_are_cut_by_number() -> None:
    sizes = [len(chunk) for chunk, _ in _import_bodies([{"id": "x"}] * (2 * IMPORT_DOCUMENTS + 1))]
    assert sizes == [IMPORT_DOCUMENTS, IMPORT_DOCUMENTS, 1]


@given(first=st.integers(0, 1000), count=st.integers(1, 120))
def test_pages_cover_the_hits_that_are_wanted(first: int, count: int) -> None:
    pages = _pages(first, count)
    sizes = {size for _, size in pages}
    assert len(sizes) == 1
    size = sizes.pop()
    assert size <= _MOST
    start, end = (pages[0][0] - 1) * size, pages[-1][0] * size
    assert start <= first
    assert end >= first + count
    assert [page for page, _ in pages] == list(range(pages[0][0], pages[-1][0] + 1))
