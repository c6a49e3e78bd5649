"""A small school network, written by raw SQL on a database that has capture installed."""

from __future__ import annotations

import pytest

from tests.support.outbox import Connection, add_post, add_school, add_user


@pytest.fixture
def school(connection: Connection) -> Connection:
    """One school, two users (one of them its teacher), one post."""
    add_school(connection, "s1")
    add_user(connection, "u1", school="s1")
    add_user(connection, "u2")
    add_post(connection, "p1", "u1")
    return connection
