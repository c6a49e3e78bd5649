"""`/healthz`, `/readyz`, `/metrics`: what load balancers, supervisors and Prometheus ask.

Not ready (503) means that PostgreSQL is down: without it nothing can be answered. Anything else that is missing
makes the answer `degraded`, because reads fall back (I13).
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg.errors import UndefinedTable

from app import status, verification
from app.operators import operator
from runtime import telemetry
from runtime.postgres import TRANSIENT

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether requests can be answered, per dependency, and how far each view is."""
    state = request.app.state
    found = await status.dependencies(state.settings, state.pool, state.redis)
    views = await _consumers(request) if found["postgres"] == "up" else []
    verified = {one["view"]: one for one in await _verified(request)} if views else {}
    body: dict[str, Any] = {
        "status": _verdict(found, views),
        "dependencies": found,
        "consumers": {
            one.name: {
                "state": one.state,
                "running": one.owned,
                "lagMs": one.lag_ms,
                "deadLetters": one.dead_letters,
                "verified": _last_comparison(verified.get(one.name)),
            }
            for one in views
        },
        "rebuilds": await status.rebuilds(state.pool) if views else [],
        "upkeep": await _upkeep(request) if found["postgres"] == "up" else {},
    }
    code = 503 if found["postgres"] == "down" else 200
    return Response(orjson.dumps(body), code, {"Cache-Control": "no-store"}, "application/json")


@router.get("/metrics", dependencies=[Depends(operator)], include_in_schema=False)
async def metrics(request: Request) -> Response:
    """This process's numbers, and what PostgreSQL knows of the consumers."""
    for one in await _consumers(request):
        telemetry.CONSUMER_LAG.labels(one.name).set(one.lag_ms / 1000)
        telemetry.CONSUMER_LIVE.labels(one.name).set(one.state == "live")
        telemetry.CONSUMER_OWNED.labels(one.name).set(one.owned)
        telemetry.CONSUMER_OPEN_LETTERS.labels(one.name).set(one.dead_letters)
        telemetry.CONSUMER_PARKED_KEYS.labels(one.name).set(one.parked_keys)
    if log := (await _upkeep(request)).get("log"):
        telemetry.LOG_HELD_DAYS.set(len(log["held"]))
        telemetry.LOG_FORCED_DAYS.set(len(log["forced"]))
    for row in await _verified(request):
        telemetry.VERIFIED_DIFFERENCES.labels(row["view"]).set(row["missing"] + row["extra"] + row["stale"])
        telemetry.VERIFIED_AGE.labels(row["view"]).set(row["seconds_ago"])
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _upkeep(request: Request) -> dict[str, Any]:
    try:
        return await status.upkeep(request.app.state.pool)
    except TRANSIENT:
        return {}


async def _verified(request: Request) -> list[dict[str, Any]]:
    try:
        async with request.app.state.pool.connection(timeout=2.0) as conn:
            return await verification.last_results(conn)
    except (*TRANSIENT, UndefinedTable):
        return []


def _last_comparison(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the view's last comparison with the truth has found; None when there was none."""
    if row is None:
        return None
    names = ("verdict", "compared", "missing", "extra", "stale", "unsettled", "repaired")
    return {**{name: row[name] for name in names}, "secondsAgo": row["seconds_ago"]}


async def _consumers(request: Request) -> list[status.ConsumerStatus]:
    try:
        return await status.consumers(request.app.state.pool)
    except TRANSIENT:
        return []


def _verdict(found: dict[str, status.Health], views: list[status.ConsumerStatus]) -> str:
    if found["postgres"] == "down":
        return "down"
    healthy = "down" not in found.values() and all(view.well for view in views)
    return "ok" if healthy else "degraded"
