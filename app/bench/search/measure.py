"""The whole benchmark in order: fill the truth, index it, import it raw, ask, and ask PostgreSQL alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import httpx

from app.bench.search import indexing
from app.bench.search.asking import ask
from app.bench.search.truth import fill
from app.bench.servers import SearchServers
from app.bench.stage import Stage, relay_idle
from runtime.postgres import connect

#: More documents are not imported a second and a third time: they would have to fit into memory as often.
_MOST_RAW: Final = 200_000


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured: a size, and how it is asked."""

    posts: int
    short: bool
    seconds: float
    rate: float
    writes: float


async def measure(on: SearchServers, load: Load, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures of one size."""
    stage = Stage(on)
    headers = {"X-TYPESENSE-API-KEY": on.typesense.api_key}
    async with (
        connect(on.settings.database_url, autocommit=True, name="bench-search") as conn,
        httpx.AsyncClient(base_url=on.typesense.url(), headers=headers, timeout=300) as http,
    ):
        started = perf_counter()
        say(f"writing {load.posts:,} {'short ' if load.short else ''}posts …")
        await fill(conn, load.posts, short=load.short)
        say(f"written in {perf_counter() - started:.0f} s; indexing …")
        with stage.process("relay"):
            await relay_idle(conn)
            ours = await indexing.ours(stage, conn, http)
            raw = await indexing.raw(http, say) if load.posts <= _MOST_RAW else None
            say(f"{load.rate:g} questions a second while {load.writes:g} posts a second are written …")
            with stage.process("consume", "search"), stage.api() as url:
                asked = await ask(stage, conn, url, rate=load.rate, seconds=load.seconds, writes=load.writes)
        say("the same questions to PostgreSQL alone …")
        with stage.api(without="TYPESENSE_") as url:
            alone = await ask(stage, conn, url, rate=5, seconds=load.seconds, writes=0)
    against = {"import_api_docs_per_s": round(raw), "ratio_to_import": round(ours / raw, 3)} if raw else {}
    return {
        "posts": load.posts,
        "short": load.short,
        "indexing": {"docs_per_s": round(ours), **against},
        "query": {"rate": load.rate, "writes": load.writes, **asked},
        "fallback": {"rate": 5, **alone},
    }


def compared(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The last size against the first."""
    first, last = runs[0]["query"], runs[-1]["query"]
    return {
        f"{name}_ratio": round(last[name] / first[name], 2) for name in ("p50_ms", "p99_ms") if first[name]
    }
