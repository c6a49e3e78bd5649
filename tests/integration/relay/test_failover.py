"""I6b: a standby takes over that has everything, or lags behind what was published."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app import wiring
from app.stack import binaries, privileges
from app.stack.ports import free_ports
from app.stack.postgres import Postgres
from tests.support.relay import Streams, emit_many, relay_settings, running, wait_until
from tests.support.servers import Running


@pytest.fixture
def primary(own_postgres: Callable[[], Running[Postgres]]) -> Running[Postgres]:
    server = own_postgres()
    server.server.create_database("own")
    wiring.migrate(server.server.url("own"))
    return server


@pytest.fixture
def standby(primary: Running[Postgres]) -> Iterator[Running[Postgres]]:
    """Streams from the primary; starts when it is told to."""
    original = primary.server
    copy = Postgres(
        original.home / "standby", free_ports(1)[0], original.password, original.settings, durable=False
    )
    copy.home.mkdir()
    copy.home.chmod(0o755)
    copy.data.mkdir(mode=0o700)
    prefix: list[str] = []
    if privileges.needs_other_user():
        account = privileges.account_for(original.data)
        os.chown(copy.data, account.pw_uid, account.pw_gid)
        prefix = privileges.as_user(account, "INT", [binaries.postgres_bin() / "pg_basebackup", copy.data])
    tool = str(binaries.postgres_bin() / "pg_basebackup")
    options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream"]
    subprocess.run(
        [*prefix, tool, "--dbname", original.url("own"), "--pgdata", str(copy.data), *options], check=True
    )
    server = Running(copy)
    yield server
    server.kill()
    shutil.rmtree(copy.home, ignore_errors=True)


def replayed(primary: psycopg.Connection, standby: psycopg.Connection) -> bool:
    end = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
    return standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", end).fetchone() == (True,)


def promote(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_promote()")


def test_the_standby_has_everything(
    primary: Running[Postgres], standby: Running[Postgres], redis_url: str, mode: str
) -> None:
    """Poll goes on where it was; wal has no slot there, and fills up from the last marker."""
    standby.start()
    old, new = primary.server.url("own"), standby.server.url("own")
    with (
        psycopg.connect(old, autocommit=True) as there,
        psycopg.connect(new, autocommit=True) as here,
        running(relay_settings(old, redis_url, mode)) as relay,
    ):
        emit_many(there, 30)
        Streams(redis_url, there).wait_for_all()
        relay.stop()
        emit_many(there, 10)
        wait_until(lambda: replayed(there, here), "everything on the standby")
    primary.kill()
    promote(new)
    with psycopg.connect(new, autocommit=True) as conn, running(relay_settings(new, redis_url, mode)):
        streams = Streams(redis_url, conn)
        emit_many(conn, 30)
        wait_until(lambda: streams.epoch == (2 if mode == "wal" else 1), "the right epoch")
        streams.wait_for_all()
        streams.check(*range(1, streams.epoch + 1), once=mode == "poll")
        assert conn.execute("SELECT max(timeline), max(settled_below_id) FROM outbox.epochs").fetchone() == (
            2,
            0,
        )
        streams.client.close()


@pytest.mark.parametrize("mode", ["wal"])
def test_a_failover_slot_takes_the_epoch_along(
    primary: Running[Postgres], standby: Running[Postgres], redis_url: str, mode: str
) -> None:
    """The synchronised slot stands where ours was confirmed: the same epoch goes on, and nothing comes twice."""
    old, new = primary.server.url("own"), standby.server.url("own")
    with psycopg.connect(old, autocommit=True) as there:
        there.execute("SELECT pg_create_physical_replication_slot('standby', true)")
        with (standby.server.data / "postgresql.auto.conf").open("a") as conf:
            conf.write(
                f"primary_slot_name = 'standby'\nprimary_conninfo = '{old}'\nhot_standby_feedback = on\n"
            )
        standby.start()
        with (
            psycopg.connect(new, autocommit=True) as here,
            running(relay_settings(old, redis_url, mode, trail_seconds=0.1)),
        ):
            emit_many(there, 30)
            Streams(redis_url, there).wait_for_all()
            wait_until(lambda: synchronised(there, here), "the slot on the standby", timeout=30)
            emit_many(there, 30)
            Streams(redis_url, there).wait_for_all()
            wait_until(lambda: replayed(there, here), "everything on the standby")
    primary.kill()
    promote(new)
    with psycopg.connect(new, autocommit=True) as conn, running(relay_settings(new, redis_url, mode)):
        streams = Streams(redis_url, conn)
        emit_many(conn, 30)
        streams.wait_for_all()
        streams.check()
        assert conn.execute("SELECT epoch, timeline FROM outbox.epochs").fetchall() == [(1, 2)]
        streams.client.close()


def synchronised(primary: psycopg.Connection, standby: psycopg.Connection) -> bool:
    """Whether the standby has a copy of the slot that it will keep when it is promoted."""
    primary.execute("SELECT pg_log_standby_snapshot()")
    standby.execute("SELECT pg_sync_replication_slots()")
    found = standby.execute("SELECT synced AND NOT temporary FROM pg_replication_slots").fetchall()
    return found == [(True,)]


def test_the_standby_lags_behind_what_was_published(
    primary: Running[Postgres], standby: Running[Postgres], redis_url: str, mode: str
) -> None:
    """The streams hold events that never happened there, and ids and xids come a second time."""
    standby.start()
    old, new = primary.server.url("own"), standby.server.url("own")
    with psycopg.connect(old, autocommit=True) as there, psycopg.connect(new, autocommit=True) as here:
        with running(relay_settings(old, redis_url, mode)):
            emit_many(there, 30)
            Streams(redis_url, there).wait_for_all()
            wait_until(lambda: replayed(there, here), "everything on the standby")
            standby.kill()
            emit_many(there, 30)
            Streams(redis_url, there).wait_for_all()
        primary.kill()
    (standby.server.data / "standby.signal").unlink()
    (standby.server.data / "recovery.signal").touch()
    shutil.copymode(standby.server.data / "PG_VERSION", standby.server.data / "recovery.signal")
    _own_like(standby.server.data / "PG_VERSION", standby.server.data / "recovery.signal")
    with (standby.server.data / "postgresql.auto.conf").open("a") as conf:
        conf.write("restore_command = 'false'\nrecovery_target_action = 'promote'\nprimary_conninfo = ''\n")
    standby.start()
    with psycopg.connect(new, autocommit=True) as conn:
        wait_until(lambda: conn.execute("SELECT pg_is_in_recovery()").fetchone() == (False,), "promotion")
        with running(relay_settings(new, redis_url, mode)):
            streams = Streams(redis_url, conn)
            emit_many(conn, 30)
            wait_until(lambda: streams.epoch == 2, "a new epoch")
            streams.wait_for_all()
            reason, floor = conn.execute(
                "SELECT reason, settled_below_id FROM outbox.epochs WHERE epoch = 2"
            ).fetchone() or ("", 0)
            assert reason in (
                "promoted below the published position",
                "the database is older than the streams",
            )
            assert floor > 30
            assert set(streams.ids(1)) | set(streams.ids(2)) >= set(streams.committed())
            assert len(streams.ids(2)) >= 30
            streams.client.close()


def _own_like(model: Path, target: Path) -> None:
    found = model.stat()
    os.chown(target, found.st_uid, found.st_gid)
