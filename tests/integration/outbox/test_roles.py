"""Each role can do its work and nothing else; the same statements, run as that role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from outbox import capture
from runtime import postgres
from tests.support.outbox import Connection, add_post, like, log

_ROLES = Path(__file__).parents[3] / "deploy" / "postgres" / "roles.sql"


@pytest.fixture
def guarded(school: Connection) -> Connection:
    """A small network on a database with the roles, set up twice."""
    text = _ROLES.read_text(encoding="utf-8")
    for _ in range(2):
        school.execute(text)
    return school


@contextmanager
def acting_as(conn: Connection, role: LiteralString) -> Iterator[Connection]:
    conn.execute("SET ROLE stunity_" + role)
    try:
        yield conn
    finally:
        conn.execute("RESET ROLE")


def refused(conn: Connection, *statements: LiteralString) -> None:
    for statement in statements:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


def test_a_writer_writes_rows_and_events_and_sees_no_log(guarded: Connection) -> None:
    with acting_as(guarded, "writer") as conn:
        add_post(conn, "p2", "u2")
        like(conn, "p2", "u1")
        conn.execute("SELECT outbox.emit('session', 'session.revoked', 'u1', '{}'), outbox.position()")
        conn.execute("""UPDATE users SET "privacySettings" = '{}', "updatedAt" = now() WHERE id = 'u1'""")
        refused(
            conn,
            "SELECT 1 FROM outbox.events",
            "INSERT INTO outbox.events (topic, type, key, data) VALUES ('post', 'post.deleted.v1', 'p1', '{}')",
            "SELECT * FROM outbox.truth_events('users', NULL, 1)",
            "SELECT outbox.relay_sleeps()",
            "SELECT outbox.drop_detached('2026-01-01')",
            "UPDATE outbox.settings SET value = 'warn'",
            "SELECT password FROM users",
            "UPDATE users SET role = 'ADMIN'",
        )
    assert [event.type for event in log(guarded)][-3:] == [
        "post.created.v1",
        "like.created.v1",
        "session.revoked.v1",
    ]


def test_the_relay_reads_the_log_and_nothing_of_upstream(guarded: Connection) -> None:
    with acting_as(guarded, "relay") as conn:
        conn.execute("SELECT * FROM outbox.events")
        conn.execute("SELECT outbox.relay_sleeps(), outbox.relay_wakes(), nextval('outbox.relay_fence')")
        conn.execute(
            "INSERT INTO outbox.epochs (epoch, mode, partitions, reason) VALUES (1, 'poll', 1, 'first')"
        )
        refused(
            conn,
            "SELECT 1 FROM posts",
            "SELECT 1 FROM users",
            "DELETE FROM outbox.events",
            "UPDATE outbox.events SET data = '{}'",
            "SELECT outbox.emit('post', 'post.deleted', 'p1', '{}')",
            "SELECT * FROM outbox.truth_events('users', NULL, 1)",
        )


def test_the_scheduler_keeps_the_log_and_counts(guarded: Connection) -> None:
    with acting_as(guarded, "scheduler") as conn:
        conn.execute("SELECT outbox.add_partition(current_date + 30)")
        conn.execute("SELECT outbox.prune_net(current_date - 40, 1, '3', '{}')")
        conn.execute("SELECT * FROM outbox.day_extent(current_date), outbox.expired_days()")
        conn.execute("SELECT 1 FROM engine.checkpoints, engine.jobs, outbox.held_days, outbox.archives")
        conn.execute("""SELECT count(*) FROM likes WHERE "postId" = 'p1'""")
        conn.execute("SELECT outbox.emit('post', 'post.counters_changed', 'p1', '{}')")
        refused(
            conn,
            "DROP TABLE outbox.events_default",
            "DELETE FROM outbox.events",
            "SELECT 1 FROM users",
            "UPDATE posts SET title = 'x'",
        )


def test_a_consumer_reads_the_truth_without_secrets_and_owns_its_views(guarded: Connection) -> None:
    with acting_as(guarded, "consumer") as conn:
        conn.execute("SELECT * FROM outbox.truth_events('users', NULL, 10)")
        conn.execute("SELECT * FROM outbox.log_events(NULL, 0, pg_current_snapshot(), NULL, 0, 10)")
        conn.execute("""SELECT p.title, u."firstName" FROM posts p JOIN users u ON u.id = p."authorId" """)
        conn.execute("CREATE SCHEMA IF NOT EXISTS analytics; CREATE TABLE analytics.another (id int)")
        conn.execute("DELETE FROM engine.dead_letters")
        refused(
            conn,
            "SELECT password FROM users",
            "SELECT email FROM users",
            "SELECT * FROM users",
            "UPDATE posts SET title = 'x'",
            "INSERT INTO outbox.events (topic, type, key, data) VALUES ('post', 'post.deleted.v1', 'p1', '{}')",
            "DROP TABLE outbox.events",
        )


def test_the_api_reads_views_and_truth_and_writes_as_a_writer(guarded: Connection) -> None:
    with acting_as(guarded, "api") as conn:
        conn.execute("""SELECT role::text, "schoolId", "isActive", "passwordChangedAt" FROM users""")
        conn.execute("SELECT count(*) FROM engine.checkpoints")
        conn.execute("INSERT INTO live.presence VALUES ('u1', now())")
        conn.execute("SELECT FROM live.games FOR SHARE")
        add_post(conn, "p2", "u2")
        refused(
            conn,
            "SELECT password FROM users",
            'SELECT "ssoAccessToken" FROM users',
            "DELETE FROM engine.dead_letters",
            "DELETE FROM users",
            "UPDATE outbox.epochs SET mode = 'wal'",
        )
    assert log(guarded)[-1].key == "p2"


async def test_the_migrator_installs_capture_and_reads_no_secret(guarded: Connection, database: str) -> None:
    with acting_as(guarded, "migrator") as conn:
        conn.execute("CREATE TABLE outbox.another (id int); DROP TABLE outbox.another")
        refused(conn, "SELECT password FROM users", "DROP TABLE posts", "DELETE FROM posts")
    guarded.execute('DROP TRIGGER "00_stunity_row" ON posts')
    async with postgres.connect(database) as migrator:
        await migrator.execute("SET ROLE stunity_migrator")
        await migrator.commit()
        outcomes = {outcome.table: outcome for outcome in await capture.install(migrator)}
        assert outcomes["posts"].state is capture.State.INSTALLED
        (removal,) = await capture.remove(migrator, ["likes"])
        assert removal.state is capture.State.REFUSED, "only the owner of a table takes a trigger off"
        assert "owner" in removal.detail
    add_post(guarded, "p2", "u1")
    assert log(guarded)[-1].key == "p2"


def test_nobody_forges_events_with_a_trigger_of_their_own(guarded: Connection) -> None:
    guarded.execute("CREATE TABLE public.mine (id text)")
    guarded.execute("ALTER TABLE public.mine OWNER TO stunity_writer")
    with acting_as(guarded, "writer") as conn:
        refused(
            conn, "CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION outbox.capture_users()"
        )
    guarded.execute("DROP TABLE public.mine")
