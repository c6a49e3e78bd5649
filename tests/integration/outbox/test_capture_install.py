"""Capture on tables as they really are: columns missing or new, tables absent, guarded, in use by somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from app.doctor import postgres as doctor
from outbox import capture
from outbox.capture import State
from outbox.capture.sources import SOURCES
from outbox.locks import LockBusy, with_short_locks
from runtime import postgres
from runtime.errors import ConfigurationError
from tests.support.outbox import Connection, add_post, add_user, events_of, like, log, newest_id


@pytest.fixture
async def conn(database: str) -> AsyncIterator[postgres.Connection]:
    async with postgres.connect(database) as opened:
        yield opened


def states(outcomes: list[capture.Outcome]) -> dict[str, State]:
    return {outcome.table: outcome.state for outcome in outcomes}


def one(connection: Connection, query: Any, params: Any = None) -> Any:
    row = connection.execute(query, params).fetchone()
    return row[0] if row else None


async def test_installing_again_changes_nothing(conn: postgres.Connection, connection: Connection) -> None:
    outcomes = await capture.install(conn)
    assert set(states(outcomes).values()) == {State.CURRENT}
    assert [outcome.table for outcome in outcomes] == list(SOURCES)
    found = await capture.status(conn)
    assert (found.policy, found.gaps) == ("abort", 0)
    assert {table.state for table in found.tables} == {"installed"}
    assert one(connection, "SELECT count(*) FROM outbox.fills") == 0, "there was nothing to fill from"


async def test_current_tables_are_not_locked(conn: postgres.Connection, database: str) -> None:
    with psycopg.connect(database) as reader:
        reader.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE")  # what every writer holds
        assert (await capture.install(conn, ["posts"]))[0].state is State.CURRENT


async def test_a_filled_table_asks_for_a_fill_once(conn: postgres.Connection, connection: Connection) -> None:
    await capture.remove(conn)
    add_user(connection, "u1")
    assert log(connection) == [], "nothing is captured without triggers"
    assert set(states(await capture.install(conn)).values()) == {State.INSTALLED}
    await capture.install(conn)
    assert connection.execute("SELECT reason FROM outbox.fills").fetchall() == [
        ("capture installed on users",)
    ]


async def test_remove_takes_everything_off_and_leaves_the_truth_readable(
    conn: postgres.Connection, connection: Connection
) -> None:
    assert states(await capture.remove(conn, ["posts", "users"])) == {
        "posts": State.REMOVED,
        "users": State.REMOVED,
    }
    triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ANY ('{posts,users}'::regclass[])"
    assert one(connection, triggers) == 0
    assert one(connection, "SELECT count(*) FROM pg_proc WHERE proname LIKE 'capture%posts'") == 0
    add_user(connection, "u1")
    assert one(connection, "SELECT key FROM outbox.truth_events('users', NULL, 10)") == "u1"
    listed = {table.table: table.state for table in (await capture.status(conn)).tables}
    assert (listed["posts"], listed["likes"]) == ("not installed", "installed")
    assert states(await capture.remove(conn, ["posts"])) == {"posts": State.REMOVED}, "again is fine"


async def test_a_missing_column_is_left_out_an_unknown_one_ignored(
    conn: postgres.Connection, connection: Connection
) -> None:
    await capture.remove(conn, ["posts"])
    connection.execute('ALTER TABLE posts DROP COLUMN title, DROP COLUMN "topicTags"')
    connection.execute("ALTER TABLE posts ADD COLUMN hologram json DEFAULT '{}'")
    (outcome,) = await capture.install(conn, ["posts"])
    assert (outcome.state, outcome.detail) == (State.INSTALLED, "without title, topicTags")
    add_user(connection, "u1")
    connection.execute(
        "INSERT INTO posts (id, \"authorId\", content, \"updatedAt\") VALUES ('p1', 'u1', 'c', now())"
    )
    event = log(connection)[-1]
    assert event.data["content"] == "c"
    assert not {"title", "topicTags", "hologram"} & event.data.keys()
    assert events_of(connection, "UPDATE posts SET hologram = '{\"a\": 1}'") == []
    assert events_of(connection, "UPDATE posts SET content = 'd'") == [("post.updated", "p1")]
    assert one(connection, "SELECT data->>'content' FROM outbox.truth_events('posts', NULL, 10)") == "d"


async def test_a_column_that_appears_later_is_taken_up_by_the_next_install(
    conn: postgres.Connection, connection: Connection
) -> None:
    await capture.remove(conn, ["posts"])
    connection.execute("ALTER TABLE posts DROP COLUMN title")
    await capture.install(conn, ["posts"])
    add_user(connection, "u1")
    connection.execute(
        "INSERT INTO posts (id, \"authorId\", content, \"updatedAt\") VALUES ('p1', 'u1', 'c', now())"
    )
    connection.execute("ALTER TABLE posts ADD COLUMN title text")
    listed = {table.table: table.state for table in (await capture.status(conn)).tables}
    assert listed["posts"] == "outdated"
    assert states(await capture.install(conn))["posts"] is State.RENEWED
    assert states(await capture.install(conn))["posts"] is State.CURRENT
    assert events_of(connection, "UPDATE posts SET title = 't'") == [("post.updated", "p1")]
    reasons = [reason for (reason,) in connection.execute("SELECT reason FROM outbox.fills ORDER BY id")]
    assert reasons[-1] == "capture installed on posts"


async def test_a_captured_column_cannot_be_dropped_under_the_triggers(
    conn: postgres.Connection, connection: Connection
) -> None:
    """Loud when the table is changed, instead of failing every write afterwards."""
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        connection.execute("ALTER TABLE posts DROP COLUMN title")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("ALTER TABLE posts ALTER COLUMN title TYPE varchar(500)")
    connection.execute('ALTER TABLE posts DROP COLUMN "edScore", DROP COLUMN "mediaKeys"')
    add_user(connection, "u1")
    add_post(connection, "p1", "u1")
    assert log(connection)[-1].key == "p1"


async def test_what_an_upstream_trigger_slips_into_a_counter_update_is_told(
    conn: postgres.Connection, connection: Connection, database: str
) -> None:
    """The statement does not name the column: capture must not be bound to those that are named."""
    add_user(connection, "u1")
    add_post(connection, "p1", "u1")
    assert events_of(connection, """UPDATE posts SET "likesCount" = 6""") == []
    connection.execute(
        """CREATE FUNCTION public.slip_in() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.title := NEW."likesCount"::text; RETURN NEW; END $$"""
    )
    connection.execute(
        "CREATE TRIGGER a BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION public.slip_in()"
    )
    listed = {table.table: table.state for table in (await capture.status(conn)).tables}
    assert (listed["posts"], listed["users"]) == ("outdated", "installed")
    said = {finding.name: finding.detail for finding in doctor.check(database, database)}
    assert "newer than capture" in said["schemas"]
    assert states(await capture.install(conn, ["posts"])) == {"posts": State.RENEWED}
    assert events_of(connection, """UPDATE posts SET "likesCount" = 7""") == [("post.updated", "p1")]
    assert log(connection)[-1].data["title"] == "7"
    connection.execute("DROP TRIGGER a ON posts")
    assert states(await capture.install(conn, ["posts"])) == {"posts": State.RENEWED}
    assert events_of(connection, """UPDATE posts SET "likesCount" = 8""") == []


async def test_absent_and_unusable_tables(conn: postgres.Connection, connection: Connection) -> None:
    connection.execute("DROP TABLE bookmarks")
    await capture.remove(conn, ["likes"])
    connection.execute('ALTER TABLE likes DROP COLUMN "postId" CASCADE')
    outcomes = {outcome.table: outcome for outcome in await capture.install(conn)}
    assert outcomes["bookmarks"].state is State.ABSENT
    assert outcomes["likes"].state is State.REFUSED
    assert "no column postId" in outcomes["likes"].detail
    assert outcomes["posts"].state is State.CURRENT
    sources = {source for (source, _) in connection.execute("SELECT * FROM outbox.truth_sources()")}
    assert "bookmarks" not in sources
    assert "posts" in sources


async def test_an_unknown_enum_value_passes(connection: Connection) -> None:
    connection.execute("""ALTER TYPE "PostType" ADD VALUE 'HOLOGRAM'""")
    add_user(connection, "u1")
    connection.execute(
        """INSERT INTO posts (id, "authorId", content, "postType", "updatedAt")
           VALUES ('p1', 'u1', 'c', 'HOLOGRAM', now())"""
    )
    assert log(connection)[-1].data["postType"] == "HOLOGRAM"


async def test_replica_identity_and_publications_of_upstream_stay(
    conn: postgres.Connection, connection: Connection
) -> None:
    await capture.remove(conn)
    connection.execute("CREATE PUBLICATION supabase_realtime FOR TABLE posts, likes")
    connection.execute("ALTER TABLE posts REPLICA IDENTITY FULL")
    before = one(connection, "SELECT array_agg(p.*::text ORDER BY p.*::text) FROM pg_publication_tables p")
    await capture.install(conn)
    assert one(connection, "SELECT relreplident FROM pg_class WHERE oid = 'posts'::regclass") == "f"
    assert (
        one(connection, "SELECT array_agg(p.*::text ORDER BY p.*::text) FROM pg_publication_tables p")
        == before
    )
    add_user(connection, "u1")
    add_post(connection, "p1", "u1")
    assert events_of(connection, "UPDATE posts SET title = 'x'") == [("post.updated", "p1")]


async def test_row_security_hides_nothing_from_capture(
    connection: Connection, conn: postgres.Connection
) -> None:
    """The writing role sees only some rows; its writes are told in full, and so is the truth."""
    connection.execute("ALTER TABLE posts ENABLE ROW LEVEL SECURITY")
    connection.execute("CREATE POLICY nobody ON posts USING (false) WITH CHECK (true)")
    connection.execute("CREATE ROLE app_of_rls NOLOGIN")
    try:
        connection.execute("GRANT USAGE ON SCHEMA public TO app_of_rls")
        connection.execute("GRANT SELECT, INSERT ON posts TO app_of_rls")
        assert (await capture.install(conn, ["posts"]))[0].state is State.CURRENT
        add_user(connection, "u1")
        connection.execute("SET ROLE app_of_rls")
        add_post(connection, "p1", "u1")
        assert one(connection, "SELECT count(*) FROM posts") == 0
        connection.execute("RESET ROLE")
        assert log(connection)[-1].data["title"] == "Title"
        assert one(connection, "SELECT key FROM outbox.truth_events('posts', NULL, 10)") == "p1"
        assert events_of(connection, "TRUNCATE posts CASCADE") == [("post.deleted", "p1")]
    finally:
        connection.execute("RESET ROLE; DROP OWNED BY app_of_rls; DROP ROLE app_of_rls")


async def test_disabled_triggers_are_noticed_and_mended(
    conn: postgres.Connection, connection: Connection
) -> None:
    add_user(connection, "u1")
    connection.execute("ALTER TABLE users DISABLE TRIGGER ALL")
    listed = {table.table: table.state for table in (await capture.status(conn)).tables}
    assert listed["users"] == "not installed"
    assert states(await capture.install(conn))["users"] is State.INSTALLED
    assert one(connection, "SELECT count(*) FROM outbox.fills") == 1
    assert events_of(connection, "UPDATE users SET bio = 'x'") == [("user.updated", "u1")]


async def test_only_tables_that_we_know(conn: postgres.Connection) -> None:
    with pytest.raises(ConfigurationError, match="auth_sessions"):
        await capture.install(conn, ["posts", "auth_sessions"])


async def test_install_never_waits_in_front_of_a_writer(
    conn: postgres.Connection, database: str, connection: Connection
) -> None:
    """While a long transaction holds the table, install keeps trying and others keep writing."""
    add_user(connection, "u1")
    await capture.remove(conn, ["posts"])
    async with (
        await psycopg.AsyncConnection.connect(database) as long,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as writer,
    ):
        await long.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE")
        installing = asyncio.create_task(capture.install(conn, ["posts"]))
        slowest = 0.0
        clock = asyncio.get_running_loop()
        for number in range(40):
            begun = clock.time()
            await writer.execute(
                'INSERT INTO posts (id, "authorId", content, "updatedAt") VALUES (%s, %s, %s, now())',
                (f"p{number}", "u1", "c"),
            )
            slowest = max(slowest, clock.time() - begun)
            await asyncio.sleep(0.01)
        assert not installing.done()
        await long.commit()
        async with asyncio.timeout(20):
            (outcome,) = await installing
    assert outcome.state is State.INSTALLED
    assert slowest < 1.0, "a write waited for longer than our lock_timeout allows"


async def test_giving_up_is_said(conn: postgres.Connection, database: str) -> None:
    async def work() -> None:
        await conn.execute("LOCK TABLE posts IN SHARE ROW EXCLUSIVE MODE")

    with psycopg.connect(database) as long:
        long.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE")
        with pytest.raises(LockBusy, match="long transaction"):
            await with_short_locks(conn, work, attempts=2)
    await with_short_locks(conn, work, attempts=1)


async def test_install_refuses_to_hold_its_locks_until_somebody_commits(conn: postgres.Connection) -> None:
    await conn.execute("SELECT 1")
    with pytest.raises(ValueError, match="not inside a transaction"):
        await capture.remove(conn, ["posts"])


async def test_abort_fails_the_write_and_warn_notes_the_gap(
    conn: postgres.Connection, connection: Connection
) -> None:
    add_user(connection, "u1")
    add_post(connection, "p1", "u1")
    connection.execute("ALTER TABLE outbox.events ADD CONSTRAINT broken CHECK (type <> 'like.created.v1')")
    with pytest.raises(psycopg.errors.CheckViolation):
        like(connection, "p1", "u1")
    assert one(connection, "SELECT count(*) FROM likes") == 0

    await capture.set_policy(conn, "warn")
    like(connection, "p1", "u1")
    assert one(connection, "SELECT count(*) FROM likes") == 1
    gaps = connection.execute("SELECT source, operation, key, error FROM outbox.capture_gaps").fetchall()
    assert [gap[:3] for gap in gaps] == [("likes", "INSERT", "p1")]
    assert "broken" in gaps[0][3]
    assert (await capture.status(conn)).gaps == 1
    assert events_of(connection, "UPDATE posts SET title = 'still told'") == [("post.updated", "p1")]

    await capture.set_policy(conn, "abort")
    add_user(connection, "u2")
    with pytest.raises(psycopg.errors.CheckViolation):
        like(connection, "p1", "u2")


async def test_under_warn_not_even_the_note_of_a_gap_can_fail_a_write(
    conn: postgres.Connection, connection: Connection
) -> None:
    await capture.set_policy(conn, "warn")
    connection.execute("ALTER TABLE outbox.events ADD CONSTRAINT broken CHECK (false) NOT VALID")
    connection.execute("ALTER TABLE outbox.capture_gaps ADD CONSTRAINT broken CHECK (false)")
    add_user(connection, "u1")
    connection.execute("DELETE FROM users")
    add_user(connection, "u1")
    connection.execute("TRUNCATE users CASCADE")
    assert newest_id(connection) == 0


async def test_the_policy_survives_a_renewal(conn: postgres.Connection, connection: Connection) -> None:
    await capture.set_policy(conn, "warn")
    await capture.remove(conn)
    await capture.install(conn)
    connection.execute("ALTER TABLE outbox.events ADD CONSTRAINT broken CHECK (false) NOT VALID")
    add_user(connection, "u1")
    assert (await capture.status(conn)).gaps == 1
