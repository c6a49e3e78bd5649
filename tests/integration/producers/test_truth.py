"""The development copy of the upstream tables: right in its columns, and never made over somebody else's tables."""

from __future__ import annotations

import psycopg
import pytest

from producers import truth


@pytest.mark.parametrize(
    ("table", "columns"),
    [("posts", 58), ("users", 74), ("schools", 36), ("study_clubs", 36), ("courses", 24)],
)
def test_the_copy_has_every_column_of_upstream(
    connection: psycopg.Connection, table: str, columns: int
) -> None:
    counted = connection.execute(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
        (table,),
    ).fetchone()
    assert counted == (columns,)


def test_no_updated_at_has_a_default(connection: psycopg.Connection) -> None:
    rows = connection.execute(
        """SELECT table_name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name = 'updatedAt' AND column_default IS NOT NULL"""
    ).fetchall()
    assert rows == []


def test_khmer_words_are_found_by_trigrams(connection: psycopg.Connection) -> None:
    names = connection.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'posts'").fetchall()
    assert {("posts_content_trgm_idx",), ("posts_title_trgm_idx",), ("posts_topicTags_gin_idx",)} <= set(
        names
    )
    assert connection.execute("SELECT cardinality(show_trgm('គណិតវិទ្យា')) > 3").fetchone() == (True,)


def test_made_once_on_an_empty_database(empty_database: str) -> None:
    assert truth.ensure(empty_database) is True
    assert truth.ensure(empty_database) is False


def test_a_single_upstream_table_is_enough_to_keep_away(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE posts (id text PRIMARY KEY)")
        assert truth.ensure(empty_database) is False
        tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("posts",)]


def test_deleting_a_school_takes_its_people_and_their_posts(people: psycopg.Connection) -> None:
    people.execute(
        "INSERT INTO posts (id, \"authorId\", content, \"updatedAt\") VALUES ('p', 'dara', 'x', now())"
    )
    people.execute("INSERT INTO post_views (id, \"postId\", \"userId\") VALUES ('v', 'p', 'vibol')")
    people.execute("DELETE FROM users WHERE id = 'vibol'")
    assert people.execute('SELECT "userId" FROM post_views').fetchone() == (None,)
    people.execute("DELETE FROM schools WHERE id = 'north'")
    assert people.execute("SELECT count(*) FROM posts").fetchone() == (0,)
