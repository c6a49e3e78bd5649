"""A truth that has stood there for long: a whole school network, written without capture, for nobody follows yet."""

from __future__ import annotations

from itertools import islice
from typing import Final

from producers import bulk
from producers.synthetic.network import Network
from producers.synthetic.size import Size
from runtime.postgres import connect

_USERS: Final = 2_000
_AT_A_TIME: Final = 10_000


async def fill(url: str, *, posts: int, views: int) -> None:
    """A school network of so many posts, and views of them."""
    network = Network(Size(users=_USERS, posts=posts, follows=0, views=views))
    async with connect(url, autocommit=True, name="bench-truth") as conn:
        await conn.execute("SET session_replication_role = replica")
        for table in network.tables():
            rows = table.rows()
            while batch := list(islice(rows, _AT_A_TIME)):
                await bulk.insert(conn, table.name, table.columns, batch)
        await conn.execute("VACUUM ANALYZE")
        await conn.execute("CHECKPOINT")
