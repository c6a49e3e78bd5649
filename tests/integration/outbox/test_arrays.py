"""Columns as array literals: PostgreSQL reads from them what was put in."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.arrays import bytestrings, integers, texts

#: What a text may hold: PostgreSQL takes no NUL, UTF-8 no halves of pairs. Signs that mean something come often.
_TEXT = st.text(
    st.one_of(st.sampled_from('\\"{},x'), st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(_TEXT))
def test_texts(connection: psycopg.Connection, values: list[str]) -> None:
    assert connection.execute("SELECT %s::text[]", (texts(values),)).fetchone() == (values,)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary()))
def test_bytestrings(connection: psycopg.Connection, values: list[bytes]) -> None:
    assert connection.execute("SELECT %s::bytea[]", (bytestrings(values),)).fetchone() == (values,)


@pytest.mark.parametrize("values", [[], [0], [-1, 2**62]])
def test_integers(connection: psycopg.Connection, values: list[int]) -> None:
    assert connection.execute("SELECT %s::bigint[]", (integers(values),)).fetchone() == (values,)
