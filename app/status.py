"""How the pipeline is doing, for operators: dependencies, consumers, relay, jobs. Read-only, a handful of queries.

Shown by `/readyz`, `/metrics` and `/console`. Nothing here names a person, a host or a setting.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

import httpx

from app.views import CONSUMERS
from consumers.engine.rebuild import register
from runtime.postgres import TRANSIENT, Pool, fetch_dicts
from runtime.redis import TRANSIENT as REDIS_AWAY
from runtime.redis import Client
from runtime.settings import Profile, Settings
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "status.sql")
_PATIENCE: Final = 2.0
#: A Redis that answered counts as up for so many seconds: each question is a command, and probes come often.
_REDIS_TRUSTED: Final = {Profile.DEFAULT: 0.0, Profile.ECONOMY: 300.0}
_answered: Final[WeakKeyDictionary[Client, float]] = WeakKeyDictionary()

Health = Literal["up", "down", "off"]


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """One view, as PostgreSQL knows it. `lag_ms` is the age of the oldest event that it does not have."""

    name: str
    state: Literal["live", "filling", "absent"] = "absent"
    owned: bool = False
    epoch: int = 0
    lag_ms: int = 0
    seconds_silent: int = 0
    dead_letters: int = 0
    parked_keys: int = 0

    @property
    def well(self) -> bool:
        """Whether somebody keeps it in sync and reads are answered from it."""
        return self.state == "live" and self.owned


async def dependencies(settings: Settings, pool: Pool, redis: Client | None) -> dict[str, Health]:
    """Which stores answer, all asked at once."""
    checks = {
        "postgres": _answers(_ask_postgres(pool)),
        "redis": _answers(_ask_redis(redis, _REDIS_TRUSTED[settings.stunity_profile])) if redis else _off(),
        "typesense": _answers(_ask_typesense(settings)) if settings.typesense_enabled else _off(),
    }
    results = await asyncio.gather(*checks.values())
    return dict(zip(checks, results, strict=True))


async def consumers(pool: Pool) -> list[ConsumerStatus]:
    """Every view, known to PostgreSQL or not."""
    async with pool.connection(timeout=_PATIENCE) as conn:
        rows = await fetch_dicts(conn, _SQL["consumers"])
    known = {row["name"]: ConsumerStatus(**row) for row in rows}
    names = dict.fromkeys((*CONSUMERS, *known))
    return [known.get(name) or ConsumerStatus(name) for name in names]


async def rebuilds(pool: Pool) -> list[dict[str, Any]]:
    """Views that are being built anew, old ones that are kept, and what became of the last ones."""
    async with pool.connection(timeout=_PATIENCE) as conn:
        return [
            {
                "view": row["view"],
                "rebuild": row["id"],
                "state": row["state"],
                "step": row["step"],
                "running": row["running"],
                "rows": row["done"],
                "ofRows": row["total"],
                "secondsLeft": row["etaS"],
                "keptUntil": row["keep_until"],
                "rolledBack": row["rolled_back"],
                "error": row["error"],
            }
            for row in await register.report(conn)
        ]


async def upkeep(pool: Pool) -> dict[str, Any]:
    """What is held or forced out of the log, when each chore last ran and how it ended, and which jobs are open."""
    async with pool.connection(timeout=_PATIENCE) as conn:
        [log] = await fetch_dicts(conn, _SQL["log"])
        chores = await fetch_dicts(conn, _SQL["chores"])
        return {
            "log": log,
            "chores": {
                one["name"]: {
                    "lastRun": one["finished_at"],
                    "running": bool(one["running"]),
                    "ok": one["error"] is None,
                    "failures": one["failures"],
                }
                for one in chores
            },
            "jobs": await fetch_dicts(conn, _SQL["work"]),
        }


async def overview(pool: Pool) -> dict[str, Any]:
    """What the console shows beside the consumers: epochs, newest events, open letters, jobs."""
    async with pool.connection(timeout=_PATIENCE) as conn:
        has_jobs = await fetch_dicts(conn, _SQL["has_jobs"])
        return {
            "epochs": await fetch_dicts(conn, _SQL["epochs"]),
            "topics": await fetch_dicts(conn, _SQL["topics"]),
            "letters": await fetch_dicts(conn, _SQL["letters"]),
            "jobs": await fetch_dicts(conn, _SQL["jobs"]) if has_jobs[0]["there"] else [],
        }


async def _off() -> Health:
    return "off"


async def _answers(question: Awaitable[None]) -> Health:
    try:
        async with asyncio.timeout(_PATIENCE):
            await question
    except (*TRANSIENT, *REDIS_AWAY, httpx.HTTPError):
        return "down"
    return "up"


async def _ask_postgres(pool: Pool) -> None:
    async with pool.connection(timeout=_PATIENCE) as conn:
        await conn.execute("SELECT 1")


async def _ask_redis(client: Client, trusted: float) -> None:
    if monotonic() - _answered.get(client, -math.inf) >= trusted:
        _answered.pop(client, None)
        await client.get("stunity:ping")
        _answered[client] = monotonic()


@cache
def _certificates() -> ssl.SSLContext:
    """Loaded once: that takes longer than everything else that is asked here."""
    return httpx.create_ssl_context()


async def _ask_typesense(settings: Settings) -> None:
    url = f"{settings.typesense_protocol}://{settings.typesense_host}:{settings.typesense_port}/health"
    async with httpx.AsyncClient(timeout=_PATIENCE, verify=_certificates()) as client:
        (await client.get(url)).raise_for_status()
