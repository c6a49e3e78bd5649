"""One document is deleted behind the consumer's back: how long `stunity verify search` takes to name it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import httpx
import orjson

from app.bench.servers import SearchServers
from app.bench.stage import Stage, live
from app.stack.ours import stunity
from consumers.search import schema
from runtime.postgres import Connection, fetch_rows

_VICTIM_SQL: Final = """
SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId" WHERE a."isActive" AND a."accountSuspendedAt" IS NULL
 ORDER BY md5(p.id) LIMIT 1
"""


class NotNamed(Exception):
    """The comparison found something else than what was lost."""


async def find(on: SearchServers, conn: Connection, say: Callable[[str], None]) -> dict[str, Any]:
    """With the relay and the consumer running, as always."""
    stage = Stage(on)
    with stage.process("relay"), stage.process("consume", "search"):
        await live(conn, "search")
        [(lost,)] = await fetch_rows(conn, _VICTIM_SQL)
        await _delete(on, lost)
        say(f"stunity verify search, without posts/{lost} …")
        started = perf_counter()
        said = await _verify(stage)
        seconds = perf_counter() - started
    if (said["missing"], said["extra"], said["stale"]) != ([f"posts/{lost}"], [], []):
        raise NotNamed(f"lost posts/{lost}, but verify says {said}")
    return {"seconds": round(seconds, 2), "compared": said["compared"], "named": said["missing"]}


async def _delete(on: SearchServers, key: str) -> None:
    headers = {"X-TYPESENSE-API-KEY": on.typesense.api_key}
    path = f"/collections/{schema.alias('stunity', 'posts')}/documents/{schema.token(key)}"
    async with httpx.AsyncClient(base_url=on.typesense.url(), headers=headers) as http:
        (await http.delete(path)).raise_for_status()


async def _verify(stage: Stage) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *stunity("verify", "search", "--json"),
        env={**os.environ, **stage.environment()},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    [said] = orjson.loads(out)
    found: dict[str, Any] = said
    return found
