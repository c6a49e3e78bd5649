"""Connects the scenario to a running stack, waits until the views hold the seeded network, and plays it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console

from app.demo.client import Person
from app.demo.measure import effect
from app.demo.report import Report
from app.demo.scenario import Stage, play
from app.demo.stores import Member, choose_cast, waiting_texts
from runtime.errors import Retryable
from runtime.postgres import Connection, connect
from runtime.redis import open_client


async def tour(console: Console, env: Mapping[str, str]) -> bool:
    """Play the scenario against the stack that `env` (variables of contracts: DATABASE_URL …) describes."""
    report = Report(console)
    async with (
        connect(env["DATABASE_URL"], autocommit=True, name="stunity-demo") as db,
        open_client(env["REDIS_URL"]) as redis,
        httpx.AsyncClient(base_url=env["API_URL"], timeout=10) as http,
    ):
        with console.status("Waiting until every view holds the network"):
            await settled(env["API_URL"], db)
        cast = await choose_cast(db)

        def person(member: Member) -> Person:
            return Person(http, member.id, member.token(env["JWT_SECRET"]))

        keys: Any = await redis.keys("*:post:{*}")
        streams = [key.decode() for key in keys]
        stage = Stage(person(cast.author), person(cast.follower), person(cast.stranger), db, redis, streams)
        async for title, outcomes in play(stage):
            report.chapter(title, outcomes)
    return report.verdict()


async def settled(api_url: str, db: Connection) -> None:
    """Return when no view lags and no text waits for the model: the times of the tour are then of its own writes.

    Raises:
        Retryable: it takes more than two minutes.
    """
    async with httpx.AsyncClient(base_url=api_url, timeout=10) as http:

        async def at_rest() -> bool:
            views = (await http.get("/readyz")).json()["consumers"].values()
            live = all(view["state"] == "live" and view["lagMs"] == 0 for view in views)
            return live and await waiting_texts(db) == 0

        outcome = await effect("the views hold the network", time.time(), at_rest, timeout=120)
    if not outcome.ok:
        raise Retryable(f"the views do not hold the seeded network: {outcome.note}")
