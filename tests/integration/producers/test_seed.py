"""`stunity seed` and `stunity token` on a real database with the capture triggers on."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from app.cli import build
from producers.synthetic import load as loading
from producers.synthetic.network import Network
from producers.synthetic.size import Size
from runtime import auth
from runtime.access import POST_VISIBLE, Viewer, load_scope
from runtime.errors import ConfigurationError
from runtime.postgres import connect
from tests.integration.producers.conftest import SECRET

SIZE = Size(users=60, posts=120, follows=200, views=600, as_of=datetime.fromisoformat("2026-11-01"))


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("JWT_SECRET", SECRET)
    application = build()
    return lambda *arguments: CliRunner().invoke(application, list(arguments), catch_exceptions=False)


def _counts(conn: psycopg.Connection, network: Network) -> dict[str, int]:
    counts = {}
    for table in network.tables():
        [(counts[table.name],)] = conn.execute(f'SELECT count(*) FROM "{table.name}"').fetchall()
    return counts


async def test_a_network_is_written_whole_with_its_events(
    database: str, connection: psycopg.Connection
) -> None:
    network = Network(SIZE)
    async with connect(database, autocommit=True) as conn:
        loaded = await loading.load(conn, network)
    assert (
        loaded.written
        == {table.name: table.expected for table in network.tables()}
        == _counts(connection, network)
    )
    [(events,)] = connection.execute(
        "SELECT count(*) FROM outbox.events WHERE type = 'post.created.v1'"
    ).fetchall()
    assert events == SIZE.posts


async def test_an_interrupted_load_is_finished_by_another(
    database: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(SIZE)
    monkeypatch.setattr(loading, "BATCH", 50)

    def stop_in_the_middle(table: str, handled: int, expected: int) -> None:
        if table == "posts" and handled >= 50:
            raise KeyboardInterrupt

    async with connect(database, autocommit=True) as conn:
        with pytest.raises(KeyboardInterrupt):
            await loading.load(conn, network, stop_in_the_middle)
        loaded = await loading.load(conn, network)
        again = await loading.load(conn, network)
    assert loaded.written["posts"] == 70
    assert again.rows == 0
    assert _counts(connection, network)["posts"] == 120


async def test_nobody_has_touched_what_they_may_not_see(database: str) -> None:
    """Blocks apart: those came later than what they would have prevented."""
    network = Network(SIZE)
    async with connect(database, autocommit=True) as conn:
        await loading.load(conn, network)
        await conn.execute("DELETE FROM user_blocks")
        await conn.execute('UPDATE users SET "isActive" = true, "accountSuspendedAt" = NULL')
        users = await (await conn.execute('SELECT id, role::text, "schoolId" FROM users')).fetchall()
        for user in users:
            scope = await load_scope(conn, Viewer(*user))
            unseen = await conn.execute(
                f"""SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId"
                     WHERE p.id IN (SELECT "postId" FROM likes WHERE "userId" = %(viewer)s
                                    UNION SELECT "postId" FROM post_views WHERE "userId" = %(viewer)s
                                    UNION SELECT "postId" FROM bookmarks WHERE "userId" = %(viewer)s)
                       AND NOT {POST_VISIBLE}""",
                scope.params(),
            )
            assert await unseen.fetchall() == []


def test_seed_twice_says_so_and_does_not_fail(run: Any) -> None:
    arguments = (
        "seed",
        "--users",
        "30",
        "--posts",
        "50",
        "--follows",
        "20",
        "--views",
        "100",
        "--seed",
        "7",
        "--json",
    )
    first, second = run(*arguments), run(*arguments)
    assert (first.exit_code, second.exit_code) == (0, 0)
    report, again = json.loads(first.stdout), json.loads(second.stdout)
    assert report["tables"]["posts"] == 50
    assert (again["rows"], again["present"]) == (0, report["rows"])
    assert "nothing to do" in run(*arguments[:-1]).stdout


def test_seed_shows_plain_lines_where_there_is_no_terminal(run: Any) -> None:
    result = run("seed", "--posts", "50", "--views", "60")
    assert "post_views: 60 of 60" in result.stdout
    assert "rows/s" in result.stdout


def test_seed_keeps_away_from_upstreams_own_tables(
    run: Any, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    with pytest.raises(ConfigurationError, match="migrate"):
        run("seed", "--posts", "50")
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE posts (id text)")
    with pytest.raises(ConfigurationError, match="--force"):
        run("seed", "--posts", "50")


def test_a_token_has_the_claims_of_the_users_row(run: Any, connection: psycopg.Connection) -> None:
    run("seed", "--posts", "50", "--views", "0")
    [(user, school)] = connection.execute(
        """UPDATE users SET "schoolAccessVersion" = 3 WHERE id = (SELECT min(id) FROM users WHERE role = 'PRINCIPAL')
           RETURNING id, "schoolId" """
    ).fetchall()
    claims = auth.decode(run("token", "--user", user, "--ttl", "60").stdout.strip(), SECRET)
    assert (claims["sub"], claims["role"], claims["schoolId"]) == (user, "PRINCIPAL", school)
    assert claims["schoolAccessVersion"] == 3
    assert 0 < claims["exp"] - claims["iat"] <= 60
    with pytest.raises(ConfigurationError, match="no user"):
        run("token", "--user", "nobody")
