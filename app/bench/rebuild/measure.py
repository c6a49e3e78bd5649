"""The whole benchmark in order: per size a truth, each view rebuilt from it, its store alone, and one document lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from time import perf_counter
from typing import Any, Final

from app.bench.rebuild import ceilings, losing
from app.bench.rebuild.ceilings import Ceiling
from app.bench.rebuild.known import know_every_text
from app.bench.rebuild.rebuilding import Took, rebuild
from app.bench.rebuild.truth import fill
from app.bench.servers import SearchServers, search_servers, servers
from runtime import garbage
from runtime.postgres import connect, open_pool
from runtime.settings import Settings

Say = Callable[[str], None]

VIEWS: Final = ("search", "embeddings", "analytics")
#: Views of a post, where views are what is rebuilt.
_VIEWS_OF_A_POST: Final = 50


def measure(views: Collection[str], *, sizes: Sequence[int], say: Say) -> dict[str, Any]:
    """Figures of each size; sizes count posts, for analytics views of posts."""
    garbage.settle()  # as the command does
    at: dict[str, dict[str, Any]] = {}
    for size in sorted(sizes):
        started = perf_counter()
        found: dict[str, Any] = {}
        at[str(size)] = found
        if {"search", "embeddings"} & set(views):
            with search_servers() as on:
                found |= asyncio.run(_posts(on, views, size, say))
        if "analytics" in views:
            with servers() as on_these:
                settings = Settings(database_url=on_these.database_url)
                found["analytics"] = asyncio.run(_facts(settings, size, say))
        say(f"{size:,}: {perf_counter() - started:.0f} s")
    smallest, largest = at[str(min(sizes))], at[str(max(sizes))]
    return {
        "ratio": {view: largest[view]["ratio"] for view in VIEWS if view in largest},
        "rate_of_largest_to_smallest": {
            view: round(largest[view]["loaded_per_s"] / smallest[view]["loaded_per_s"], 3)
            for view in VIEWS
            if view in largest
        },
        **({"verify_seconds": largest["verify"]["seconds"]} if "verify" in largest else {}),
        "at": at,
    }


async def _posts(on: SearchServers, views: Collection[str], size: int, say: Say) -> dict[str, Any]:
    settings, found = on.settings, dict[str, Any]()
    say(f"{size:,} posts …")
    await fill(settings.database_url, posts=size, views=0)
    if "search" in views:
        say(f"{size:,}: rebuild search …")
        took = await rebuild(settings, "search")
        found["search"] = _figures(await ceilings.documents(on, say), took)
        async with connect(settings.database_url, autocommit=True, name="bench-rebuild") as conn:
            found["verify"] = await losing.find(on, conn, say)
    if "embeddings" in views:
        say(f"{size:,}: vectors of every text …")
        async with open_pool(settings.database_url, max_size=4, name="bench-rebuild") as pool:
            await know_every_text(pool)
        say(f"{size:,}: rebuild embeddings …")
        took = await rebuild(settings, "embeddings")
        say(f"{size:,}: COPY and index alone …")
        found["embeddings"] = _figures(await ceilings.vectors(settings.database_url), took)
    return found


async def _facts(settings: Settings, size: int, say: Say) -> dict[str, Any]:
    say(f"{size:,} views of posts …")
    await fill(settings.database_url, posts=max(size // _VIEWS_OF_A_POST, 100), views=size)
    say(f"{size:,}: rebuild analytics …")
    took = await rebuild(settings, "analytics")
    say(f"{size:,}: COPY and roll-ups alone …")
    with_rollups, copy = await ceilings.facts(settings.database_url)
    figures = _figures(with_rollups, took)
    return {**figures, "copy_alone_per_s": round(copy.per_s), "ratio_to_copy_alone": _ratio(copy, took.load)}


def _figures(ceiling: Ceiling, took: Took) -> dict[str, Any]:
    return {
        "things": ceiling.things,
        "store_alone_per_s": round(ceiling.per_s),
        "loaded_per_s": round(ceiling.things / took.load),
        "ratio": _ratio(ceiling, took.load),
        "end_to_end_per_s": round(ceiling.things / took.whole),
        "ratio_end_to_end": _ratio(ceiling, took.whole),
        "seconds": {
            "load": round(took.load, 2),
            "gates": round(took.gates, 2),
            "whole": round(took.whole, 2),
        },
    }


def _ratio(ceiling: Ceiling, seconds: float) -> float:
    return round(ceiling.things / seconds / ceiling.per_s, 3)
