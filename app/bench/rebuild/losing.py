"""One document is deleted behind the consumer's back: how long `stunity verify search` takes to name it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import httpx
import orjson

from app.bench.search.indexing import is_live
from app.bench.search.stage import Stage
from app.stack.ours import stunity
from consumers.search import schema
from runtime.postgres import Connection, fetch_rows

_PATIENCE: Final = 120.0
_VICTIM_SQL: Final = """
SELECT p.id FROM posts p JOIN users a ON a.id = p."authorId" WHERE a."isActive" AND a."accountSuspendedAt" IS NULL
 ORDER BY md5(p.id) LIMIT 1
"""


class NotNamed(Exception):
    """The comparison found something else than what was lost."""


async def find(stage: Stage, conn: Connection, say: Callable[[str], None]) -> dict[str, Any]:
    """With the relay and the consumer running, as always."""
    with stage.process("relay"), stage.process("consume", "search"):
        await _until_live(conn)
        [(lost,)] = await fetch_rows(conn, _VICTIM_SQL)
        await _delete(stage, lost)
        say(f"stunity verify search, without posts/{lost} …")
        started = perf_counter()
        said = await _verify(stage)
        seconds = perf_counter() - started
    if (said["missing"], said["extra"], said["stale"]) != ([f"posts/{lost}"], [], []):
        raise NotNamed(f"lost posts/{lost}, but verify says {said}")
    return {"seconds": round(seconds, 2), "compared": said["compared"], "named": said["missing"]}


async def _until_live(conn: Connection) -> None:
    deadline = perf_counter() + _PATIENCE
    while not await is_live(conn):
        if perf_counter() > deadline:
            raise TimeoutError(f"search does not follow after {_PATIENCE:g} s")
        await asyncio.sleep(0.1)


async def _delete(stage: Stage, key: str) -> None:
    headers = {"X-TYPESENSE-API-KEY": stage.on.typesense.api_key}
    path = f"/collections/{schema.alias('stunity', 'posts')}/documents/{schema.token(key)}"
    async with httpx.AsyncClient(base_url=stage.on.typesense.url(), headers=headers) as http:
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
