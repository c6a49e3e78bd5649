"""The whole benchmark in order: fill the truth, index it, import it raw, ask, and ask PostgreSQL alone."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import httpx

from app.bench.search import indexing
from app.bench.search.asking import ask
from app.bench.search.stage import Stage, fill
from app.bench.servers import SearchServers
from runtime.postgres import connect


async def measure(
    on: SearchServers,
    *,
    posts: int,
    short: bool,
    seconds: float,
    rate: float,
    writes: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Figures of one size."""
    stage = Stage(on)
    headers = {"X-TYPESENSE-API-KEY": on.typesense.api_key}
    async with (
        connect(on.settings.database_url, autocommit=True, name="bench-search") as conn,
        httpx.AsyncClient(base_url=on.typesense.url(), headers=headers, timeout=300) as http,
    ):
        started = perf_counter()
        say(f"writing {posts:,} {'short ' if short else ''}posts …")
        await fill(conn, posts, short=short)
        say(f"written in {perf_counter() - started:.0f} s; indexing …")
        with stage.process("relay"):
            ours = await indexing.ours(stage, conn, http)
            raw = await indexing.raw(http, say)
            say(f"{rate:g} questions a second while {writes:g} posts a second are written …")
            with stage.process("consume", "search"), stage.api(typesense=True) as url:
                asked = await ask(stage, conn, url, rate=rate, seconds=seconds, writes=writes)
        say("the same questions to PostgreSQL alone …")
        with stage.api(typesense=False) as url:
            alone = await ask(stage, conn, url, rate=5, seconds=seconds, writes=0)
    return {
        "posts": posts,
        "short": short,
        "indexing": {
            "docs_per_s": round(ours),
            "import_api_docs_per_s": round(raw),
            "ratio_to_import": round(ours / raw, 3),
        },
        "query": {"rate": rate, "writes": writes, **asked},
        "fallback": {"rate": 5, **alone},
    }
