"""A log that may only be so large: what goes, what stays for somebody, who says how large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta

import pytest

from app import wiring
from outbox import retention
from runtime import postgres
from runtime.settings import Profile
from tests.support.outbox import Connection


@pytest.fixture
async def conn(database: str) -> AsyncIterator[postgres.Connection]:
    async with postgres.connect(database) as opened:
        yield opened


def today() -> date:
    return datetime.now(UTC).date()


def days(connection: Connection) -> set[str]:
    rows = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'outbox.events'::regclass"
    )
    return {name.removeprefix("outbox.events_") for (name,) in rows}


def fat_day(connection: Connection, back: int, rows: int = 3000) -> date:
    """A partition of `back` days ago with some megabytes of events."""
    day = today() - timedelta(days=back)
    connection.execute("SELECT outbox.add_partition(%s)", (day,))
    connection.execute(
        """INSERT INTO outbox.events (occurred_at, topic, type, key, data)
           SELECT %s::date::timestamp AT TIME ZONE 'UTC' + interval '1 second', 'post', 'post.updated.v1', 'old',
                  jsonb_build_object('text', repeat('x', 1000)) FROM generate_series(1, %s)""",
        (day, rows),
    )
    return day


def cap(connection: Connection, size: int) -> None:
    connection.execute("UPDATE outbox.settings SET value = %s WHERE name = 'retention_bytes'", (str(size),))


def reader(connection: Connection, name: str = "late") -> retention.Need:
    """Somebody who has seen everything so far."""
    [(epoch, snapshot, now)] = connection.execute(
        "SELECT outbox.current_epoch(), pg_current_snapshot()::text, now()"
    ).fetchall()
    return retention.Need(name, epoch, snapshot, now)


async def test_a_capped_log_lets_the_oldest_days_go_and_holds_what_somebody_needs(
    conn: postgres.Connection, connection: Connection
) -> None:
    oldest = fat_day(connection, 5)
    late = reader(connection)
    older, newer = fat_day(connection, 4), fat_day(connection, 3)
    assert (await retention.retire(conn)).dropped == [], "no cap, no hurry"
    cap(connection, 5_000_000)  # a day takes 3 to 4 MB
    upkeep = await retention.retire(conn, [late])
    assert (upkeep.dropped, upkeep.held) == ([oldest], [older])
    upkeep = await retention.retire(conn, [reader(connection)])
    assert (upkeep.dropped, upkeep.held) == ([older], [])
    assert f"{newer:%Y%m%d}" in days(connection)


async def test_a_day_that_is_too_large_by_itself_loses_what_everybody_has_seen(
    conn: postgres.Connection, connection: Connection
) -> None:
    begin = today()
    fat_day(connection, 0)
    connection.execute("SELECT FROM outbox.events")  # (ends the statement's snapshot)
    seen = reader(connection)
    fat_day(connection, 0, 10)
    if today() != begin or datetime.now(UTC).time() < time(0, 20):
        pytest.skip("around midnight today has no old rows")
    assert (await retention.retire(conn, [seen])).pruned == 0, "no cap"
    cap(connection, 1_000_000)
    behind = retention.Need("behind", 0, "3:3:", seen.taken_at)
    assert (await retention.retire(conn, [seen, behind])).pruned == 0, "somebody has seen nothing"
    before = connection.execute("SELECT outbox.log_reaches('3:3:', 0, now())").fetchone()
    upkeep = await retention.retire(conn, [seen])
    assert upkeep.pruned == 3000
    assert "3000 rows of today pruned" in str(upkeep)
    assert connection.execute("SELECT count(*) FROM outbox.events").fetchone() == (10,)
    after = connection.execute(
        "SELECT outbox.log_reaches('3:3:', 0, now()), outbox.log_reaches(%s, %s, now())",
        (seen.snapshot, seen.epoch),
    ).fetchone()
    assert (before, after) == ((True,), (False, True)), "who has seen less has to begin with the truth"


async def test_what_the_log_s_own_readers_lack_stays(
    conn: postgres.Connection, connection: Connection
) -> None:
    connection.execute("INSERT INTO outbox.counter_runs VALUES ('view', 0, pg_current_snapshot())")
    held = fat_day(connection, 4)
    cap(connection, 1_000_000)
    assert (await retention.retire(conn, [reader(connection)])).held == [held]
    connection.execute("UPDATE outbox.counter_runs SET snapshot = pg_current_snapshot()")
    assert (await retention.retire(conn, [reader(connection)])).dropped == [held]


def test_economy_caps_the_log_but_not_over_an_operator_s_choice(
    database: str, connection: Connection
) -> None:
    query = "SELECT value::bigint FROM outbox.settings WHERE name = 'retention_bytes'"
    wiring.migrate(database)
    assert connection.execute(query).fetchone() == (0,)
    wiring.migrate(database, Profile.ECONOMY)
    assert connection.execute(query).fetchone() == (64 << 20,)
    cap(connection, 7)
    wiring.migrate(database, Profile.ECONOMY)
    assert connection.execute(query).fetchone() == (7,)
