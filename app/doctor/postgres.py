"""PostgreSQL: version, text, extensions, logical decoding, slots, privileges, and what is installed of ours."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg.rows import dict_row

from app.doctor import upstream
from app.doctor.finding import Finding, fail, missing, ok, one_line, warn

_VERSIONS = range(15, 19)
Row = dict[str, object]
Connection = psycopg.Connection[Row]

_EXTENSIONS = {
    "vector": "similar posts and suggestions by meaning",
    "pg_trgm": "the fallback of search",
}


def check(url: str, replication_url: str) -> Iterator[Finding]:
    """Everything about the database with the truth."""
    try:
        conn = psycopg.connect(
            url, autocommit=True, connect_timeout=5, prepare_threshold=None, row_factory=dict_row
        )
    except psycopg.OperationalError as error:
        yield missing("postgres", one_line(error), "start it, or correct DATABASE_URL")
        return
    with conn:
        yield _version(conn)
        yield _text(conn)
        for name, purpose in _EXTENSIONS.items():
            yield _extension(conn, name, purpose)
        yield _schemas(conn)
        yield upstream.check(conn)
        yield _privileges(conn)
        yield from _decoding(conn, replication_url)


def timescale(url: str) -> Finding:
    """Which of the three kinds of TimescaleDB the analytics tables can have."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, row_factory=dict_row) as conn:
            row = _one(
                conn,
                "SELECT default_version, installed_version, current_setting('timescaledb.license', true) AS license"
                " FROM pg_available_extensions WHERE name = 'timescaledb'",
            )
            made = _analytics_kind(conn)
    except psycopg.OperationalError as error:
        return missing("timescaledb", one_line(error), "start it, or correct ANALYTICS_DATABASE_URL")
    if not row:
        return ok("timescaledb", f"absent: native partitions are used{_made(made)}")
    kind = {"timescale": "community", "apache": "apache"}.get(str(row["license"]), "not preloaded")
    if kind == "not preloaded":
        mend = "add timescaledb to shared_preload_libraries and restart, or leave it: partitions are used"
        return warn("timescaledb", f"{row['default_version']} is there and not loaded", mend)
    detail = f"{row['installed_version'] or row['default_version']}, {kind} licence{_made(made)}"
    if made not in (None, kind):
        return warn(
            "timescaledb", detail, "stunity rebuild analytics: the tables move to what the server offers"
        )
    return ok("timescaledb", detail)


def _analytics_kind(conn: Connection) -> str | None:
    """What the analytics tables were made for, None while there are none."""
    if not _one(conn, "SELECT 1 AS there WHERE to_regclass('analytics.made') IS NOT NULL"):
        return None
    return str(_one(conn, "SELECT kind FROM analytics.made").get("kind"))


def _made(kind: str | None) -> str:
    return f"; tables made for: {kind}" if kind else ""


def _one(conn: Connection, query: str) -> Row:
    return conn.execute(query).fetchone() or {}


def _version(conn: Connection) -> Finding:
    major = conn.info.server_version // 10_000
    text = conn.info.parameter_status("server_version") or str(major)
    if major < _VERSIONS.start:
        return fail("postgres version", text, f"{_VERSIONS.start} or newer is needed")
    if major >= _VERSIONS.stop:
        return warn("postgres version", text, f"tested up to {_VERSIONS.stop - 1}")
    return ok("postgres version", text)


def _text(conn: Connection) -> Finding:
    row = _one(
        conn,
        "SELECT pg_encoding_to_char(encoding) AS encoding, datctype FROM pg_database"
        " WHERE datname = current_database()",
    )
    encoding, ctype = str(row["encoding"]), str(row["datctype"])
    if encoding != "UTF8":
        return fail("text", f"encoding {encoding}", "the database must be UTF8: dump, create anew, restore")
    if ctype in ("C", "POSIX"):
        mend = "create databases with LC_CTYPE C.UTF-8: trigrams skip Khmer letters under C"
        return warn("text", f"UTF8 with character type {ctype}", mend)
    return ok("text", f"UTF8, character type {ctype}")


def _extension(conn: Connection, name: str, purpose: str) -> Finding:
    row = conn.execute(
        "SELECT installed_version, default_version FROM pg_available_extensions WHERE name = %s", (name,)
    ).fetchone()
    if row is None:
        return warn(name, f"not on this server: no {purpose}", f"install the package that brings {name}")
    if row["installed_version"] is None:
        return warn(name, f"{row['default_version']} is there and not created", f"`CREATE EXTENSION {name}`")
    return ok(name, str(row["installed_version"]))


def _schemas(conn: Connection) -> Finding:
    row = _one(
        conn,
        "SELECT to_regclass('outbox.events') IS NOT NULL AND to_regclass('engine.checkpoints') IS NOT NULL AS there,"
        " (SELECT string_agg(s, ', ') FROM unnest(ARRAY['embeddings', 'live', 'dramatiq']) AS s"
        "   WHERE to_regnamespace(s) IS NULL) AS lost,"
        " (SELECT count(DISTINCT tgrelid) FROM pg_trigger WHERE tgname = '00_stunity_row') AS captured,"
        " (SELECT count(DISTINCT u.tgrelid) FROM pg_trigger u JOIN pg_trigger b ON b.tgrelid = u.tgrelid"
        "   WHERE u.tgname = '00_stunity_update' AND u.tgattr::text <> '' AND NOT b.tgisinternal"
        "     AND b.tgenabled <> 'D' AND b.tgtype & 19 = 19) AS rewritten",  # FOR EACH ROW, BEFORE, UPDATE
    )
    if not row["there"]:
        return fail("schemas", "not created", "`stunity migrate`")
    if row["lost"]:
        mend = "`stunity migrate` makes the embeddings again; what else is lost comes from a backup"
        return fail("schemas", f"lost: {row['lost']}", mend)
    if not row["captured"]:
        return warn("schemas", "created; no table is captured", "`stunity capture install`")
    if row["rewritten"]:
        what = "a BEFORE UPDATE trigger is newer than capture: what it changes may not be captured"
        return warn("schemas", f"{row['rewritten']} tables: {what}", "`stunity capture install`")
    return ok("schemas", f"created; {row['captured']} tables are captured")


def _privileges(conn: Connection) -> Finding:
    row = _one(
        conn,
        "SELECT current_user AS role, has_database_privilege(current_database(), 'CREATE') AS creates,"
        " CASE WHEN to_regclass('outbox.events') IS NULL THEN false"
        " ELSE has_table_privilege(to_regclass('outbox.events'), 'INSERT') END AS writes",
    )
    if row["writes"] and row["creates"]:
        return ok("privileges", f"{row['role']} may migrate and write events")
    if row["writes"]:
        return ok("privileges", f"{row['role']} may write events; migrations need another role")
    return warn(
        "privileges",
        f"{row['role']} may not write events",
        "`GRANT INSERT ON outbox.events`, or migrate first",
    )


def _decoding(conn: Connection, replication_url: str) -> Iterator[Finding]:
    level = str(_one(conn, "SHOW wal_level")["wal_level"])
    if level != "logical":
        mend = "`ALTER SYSTEM SET wal_level = logical` and restart; until then the relay polls"
        yield warn("wal_level", level, mend)
        return
    yield ok("wal_level", level)
    yield _replication(replication_url)
    yield _free_slots(conn)
    yield from _slots(conn)


def _replication(url: str) -> Finding:
    """Try it: roles, pg_hba.conf and poolers can each be in the way."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, replication="database") as conn:
            conn.pgconn.exec_(b"IDENTIFY_SYSTEM")
    except psycopg.OperationalError as error:
        mend = "`ALTER ROLE … REPLICATION` and a direct DATABASE_REPLICATION_URL; until then the relay polls"
        return warn("replication", one_line(error), mend)
    return ok("replication", "this role may stream changes over a direct connection")


def _free_slots(conn: Connection) -> Finding:
    row = _one(
        conn,
        "SELECT current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots) AS slots,"
        " current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication) AS senders",
    )
    detail = f"{row['slots']} slots and {row['senders']} senders are free"
    if min(int(str(row["slots"])), int(str(row["senders"]))) < 1:
        return warn("replication slots", detail, "raise max_replication_slots and max_wal_senders")
    return ok("replication slots", detail)


def _slots(conn: Connection) -> Iterator[Finding]:
    """Our slots: a lost one is replaced by the relay; one that nobody reads fills the disk."""
    rows = conn.execute(
        "SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS kept,"
        " current_setting('max_slot_wal_keep_size') AS bound"
        " FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE 'stunity%'"
    ).fetchall()
    for row in rows:
        name, kept = f"slot {row['slot_name']}", int(str(row["kept"] or 0)) >> 20
        detail = f"{'active' if row['active'] else 'nobody reads it'}, keeps {kept} MiB of WAL, {row['wal_status']}"
        if row["wal_status"] == "lost":
            yield warn(name, detail, "start the relay: it replaces the slot and begins a new epoch by itself")
        elif row["bound"] == "-1":
            mend = "set max_slot_wal_keep_size: a relay that stays away would fill the disk"
            yield warn(name, f"{detail}; unbounded", mend)
        elif not row["active"]:
            yield warn(name, detail, "start the relay, or drop the slot when it is no longer wanted")
        else:
            yield ok(name, f"{detail}, at most {row['bound']}")
