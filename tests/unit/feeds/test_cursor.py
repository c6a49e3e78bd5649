"""Cursors survive the way to the client and back, and nothing else passes for one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.feeds.cursor import (
    BadCursor,
    Cursor,
    Place,
    RankedCursor,
    RecentCursor,
    add_shown,
    decode,
    encode,
    shown_set,
    was_shown,
)
from consumers.feeds.pools import Mode

ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
shown = st.lists(ids, max_size=200).map(lambda posts: add_shown(b"", posts))
moments = st.integers(0, 4_000_000_000_000)
places = st.builds(Place, st.booleans(), moments, ids)
cursors = st.one_of(
    st.builds(
        RankedCursor,
        st.sampled_from([Mode.FOR_YOU, Mode.FOLLOWING]),
        st.from_regex(r"[0-9a-f]{0,16}", fullmatch=True),
        st.integers(0, 200),
        moments,
        shown,
    ),
    st.builds(RecentCursor, st.sampled_from(Mode), st.none() | places, shown, moments),
)


@given(cursors)
def test_a_cursor_comes_back_as_it_was(cursor: Cursor) -> None:
    text = encode(cursor)
    assert decode(text, cursor.mode) == cursor
    assert len(text) < 2000


@given(cursors)
def test_a_cursor_of_another_mode_is_refused(cursor: Cursor) -> None:
    for mode in Mode:
        if mode is not cursor.mode:
            with pytest.raises(BadCursor):
                decode(encode(cursor), mode)


@given(
    st.text(max_size=80)
    | st.binary(max_size=80).map(lambda raw: "v1." + base64.urlsafe_b64encode(raw).decode())
)
def test_anything_else_is_refused_and_nothing_breaks(text: str) -> None:
    with pytest.raises(BadCursor):
        decode(text, Mode.FOR_YOU)


@pytest.mark.parametrize(
    "head",
    [
        b'["FOR_YOU",1,"x",0]', b'["FOR_YOU",1,"",201]', b'["FOR_YOU",1,"",-1]', b'["FOR_YOU",-1,"",1]',
        b'["FOR_YOU",1,[2,1,"p"]]', b'["FOR_YOU",1,[0,1]]', b'["FOR_YOU",1,[0,1,"\\u0000"]]', b'["FOR_YOU",null,null]',
        b'["FOR_YOU",1,"ab",1.5]', b'["FOR_YOU"]', b'{"a":1}', b"7",
    ],
)  # fmt: skip
def test_near_misses_are_refused(head: bytes) -> None:
    with pytest.raises(BadCursor):
        decode("v1." + base64.urlsafe_b64encode(head + b"\0").decode(), Mode.FOR_YOU)


@given(st.lists(ids, max_size=50), ids)
def test_what_was_shown_is_known(posts: list[str], other: str) -> None:
    found = shown_set(add_shown(b"", posts))
    assert all(was_shown(post, found) for post in posts)
    assert was_shown(other, found) == (other in posts)
