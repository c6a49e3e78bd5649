"""`python -m tests.torture.views`: plan after plan until the time is up; a failing one is made shorter and printed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import time
from contextlib import ExitStack

import redis
import structlog
from pydantic import SecretStr

from app import wiring
from app.stack.postgres import Postgres
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey
from runtime.settings import Settings
from tests.support.servers import (
    Running,
    empty_typesense,
    fresh_database,
    make_postgres,
    make_typesense,
    make_valkey,
    running,
    typesense_settings_of,
)
from tests.torture.views.machine import play
from tests.torture.views.plan import Plan, shrunk

TEMPLATE = "torture_views"


class Ground:
    """Servers of our own, as new for every plan."""

    def __init__(self, stack: ExitStack) -> None:
        self._postgres: Running[Postgres] = stack.enter_context(running(make_postgres))
        self._valkey: Running[Valkey] = stack.enter_context(running(make_valkey))
        self._typesense: Running[Typesense] = stack.enter_context(running(make_typesense))
        self._postgres.server.create_database(TEMPLATE)
        wiring.migrate(self._postgres.server.url(TEMPLATE))

    async def play(self, plan: Plan) -> list[str]:
        """Do what the plan says."""
        at = typesense_settings_of(self._typesense.server)
        empty_typesense(at)
        url = self._valkey.server.url()
        with redis.Redis.from_url(url) as client:
            client.flushall()
        with fresh_database(self._postgres.server, TEMPLATE) as database:
            settings = Settings(
                _env_file=None,
                database_url=database,
                redis_url=url,
                typesense_host=at.host,
                typesense_port=at.port,
                typesense_api_key=SecretStr(at.api_key),
            )
            return await play(plan, settings, at)

    async def fails(self, plan: Plan) -> bool:
        """Whether it still goes wrong."""
        try:
            await self.play(plan)
        except Exception as failure:
            print(f"  {len(plan.steps)} steps: {type(failure).__name__}", flush=True)
            return True
        return False


async def main() -> int:
    """Exit code 1 when a plan fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.views", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first plan's; by default another one every time")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--only", help="only these steps of the seed, once")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rebuilds", action="store_true", help="only with --only: the plan has rebuilds")
    parser.add_argument("--as-it-is", action="store_true", help="a failing plan is not made shorter")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if arguments.seed is None else arguments.seed
    until = time.monotonic() + 60 * arguments.minutes
    with ExitStack() as stack:
        ground = await asyncio.to_thread(Ground, stack)  # migrations have a loop of their own
        while True:
            plan = Plan.of(seed, arguments.steps, rebuilds=True)
            if arguments.only:
                steps = tuple(int(step) for step in arguments.only.split(","))
                plan = Plan(seed, steps, arguments.rebuilds)
            began = time.monotonic()
            try:
                done = await ground.play(plan)
            except Exception as failure:
                print(f"seed {seed} FAILED: {type(failure).__name__}: {failure}", flush=True)
                as_it_is = arguments.only or arguments.as_it_is
                shorter = plan if as_it_is else await shrunk(plan, ground.fails)
                print(f"repeat with: python -m tests.torture.views {shorter}")
                return 1
            print(f"seed {seed}: {len(done)} steps, {time.monotonic() - began:.0f} s", flush=True)
            if arguments.only or time.monotonic() > until:
                return 0
            seed += 1


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    raise SystemExit(asyncio.run(main()))
