"""Which mode is possible, found out by asking and by trying: roles, pg_hba.conf and poolers can each be in the way."""

from __future__ import annotations

import structlog

from outbox.relay.session import connect_replication
from outbox.relay.settings import Mode, RelaySettings
from outbox.relay.store import SQL, Store, connect, translated
from runtime.errors import Retryable

log = structlog.get_logger(__name__)


def choose_mode(settings: RelaySettings) -> Mode:
    """The mode that was set, or for `auto`: wal where the server decodes, this role may read, and a slot is free.

    Raises:
        Retryable: the server cannot be reached, so nothing can be known.
    """
    if settings.mode != "auto":
        return settings.mode
    with translated(), connect(settings.database_url, "stunity-relay") as conn:
        obstacle = _obstacle(settings, Store(conn))
    if obstacle is None:
        return "wal"
    log.info("relay_polls", because=obstacle)
    return "poll"


def _obstacle(settings: RelaySettings, store: Store) -> str | None:
    row = store.conn.execute(SQL["may_replicate"], {"publication": settings.publication}).fetchone()
    assert row is not None
    current = store.current()
    if not row["logical"]:
        return "wal_level is not logical"
    if not row["published"]:
        return f"there is no publication {settings.publication}"
    if current is not None and current.mode == "wal":
        return None  # a slot of ours is there, or was: wal mode mends it
    return "no replication slot is free" if not row["slot_free"] else _try_replication(settings)


def _try_replication(settings: RelaySettings) -> str | None:
    try:
        connect_replication(settings.replication_url).close()
    except Retryable as refused:
        return str(refused)
    return None
