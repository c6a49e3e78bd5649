"""Room for a second copy in PostgreSQL: how much there is, where that can be known.

A server does not say how full its disk is. When its data directory is on this machine, and we may ask where it is, the
disk is looked at; otherwise the size alone is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Final

import psycopg

from consumers.engine.rebuild.shadow import Need
from runtime.postgres import Connection, fetch_rows

_IS_LOCAL_SQL: Final = "SELECT coalesce(inet_server_addr() << '127.0.0.0/8', true)"


async def postgres_room(conn: Connection, tables: Sequence[str]) -> Need:
    """What these tables take with their indexes, partitions included, and what is free."""
    query = """SELECT coalesce(sum(pg_total_relation_size(part.relid)), 0)::bigint
                 FROM unnest(%s::text[]) AS name
                CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(to_regclass(name))
                                     UNION SELECT to_regclass(name)) AS part (relid)"""
    [(size,)] = await fetch_rows(conn, query, (list(tables),))
    return Need("PostgreSQL's disk", size, await _free(conn))


async def _free(conn: Connection) -> int | None:
    try:
        async with conn.transaction():
            [(folder,)] = await fetch_rows(conn, "SELECT current_setting('data_directory', true)")
            [(local,)] = await fetch_rows(conn, _IS_LOCAL_SQL)
        return shutil.disk_usage(folder).free if folder and local else None
    except (psycopg.Error, OSError):
        return None
