"""Connects the scenario to a running stack, waits until the views hold the seeded network, and plays it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console

from app.demo.client import Person
from app.demo.report import Report
from app.demo.scenario import Stage, play
from app.demo.stores import Member, choose_cast
from runtime.postgres import connect
from runtime.redis import open_client


async def tour(console: Console, env: Mapping[str, str]) -> bool:
    """Play the scenario against the stack that `env` (variables of contracts: DATABASE_URL …) describes."""
    report = Report(console)
    async with (
        connect(env["DATABASE_URL"], autocommit=True, name="stunity-demo") as db,
        open_client(env["REDIS_URL"]) as redis,
        httpx.AsyncClient(base_url=env["API_URL"], timeout=10) as http,
    ):
        cast = await choose_cast(db)

        def person(member: Member) -> Person:
            return Person(http, member.id, member.token(env["JWT_SECRET"]))

        keys: Any = await redis.keys("*:post:{*}")
        streams = [key.decode() for key in keys]
        stage = Stage(person(cast.author), person(cast.follower), person(cast.stranger), db, redis, streams)
        async for title, outcomes in play(stage):
            report.chapter(title, outcomes)
    return report.verdict()
