"""Cursors: what we made comes back as it was, everything else is refused, never an error of another kind."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.request import (
    MAX_DEPTH,
    BadCursor,
    PostQuery,
    Ranked,
    Recent,
    encode_cursor,
    ranked_place,
    recent_place,
)

QUERY = PostQuery("calculus", "s1", "QUIZ")
IDS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)


@given(offset=st.integers(0, MAX_DEPTH), last=IDS, until=st.integers(0, 2**53 - 1))
def test_a_ranked_place_comes_back(offset: int, last: str, until: int) -> None:
    place = Ranked(offset, last, until)
    assert ranked_place(QUERY, encode_cursor(QUERY, place)) == place


@given(st.datetimes(), IDS)
def test_a_recent_place_comes_back(moment: datetime, last: str) -> None:
    place = Recent(moment, last)
    assert recent_place(QUERY, encode_cursor(QUERY, place)) == place


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_anything_else_is_a_bad_cursor(text: str) -> None:
    for read in (ranked_place, recent_place):
        with suppress(BadCursor):
            read(QUERY, text)


def test_a_cursor_belongs_to_its_query() -> None:
    cursor = encode_cursor(QUERY, Ranked(20, "p", 5))
    with pytest.raises(BadCursor):
        ranked_place(PostQuery("calculus"), cursor)
    with pytest.raises(BadCursor):
        recent_place(QUERY, cursor)


def test_nobody_goes_deeper_than_allowed() -> None:
    with pytest.raises(BadCursor):
        ranked_place(QUERY, encode_cursor(QUERY, Ranked(MAX_DEPTH + 1, "p", 5)))
