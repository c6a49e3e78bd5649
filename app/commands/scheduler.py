"""`stunity scheduler`: one process that does the recurring chores."""

from __future__ import annotations

import asyncio
import signal

import typer

from app import wiring
from runtime import logs
from runtime.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def scheduler() -> None:
        """Count counters, make and retire partitions. Several may run: each chore is done by one at a time."""
        settings = wiring.load_settings()
        logs.configure(settings.log_level, process="scheduler")
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from app import rebuilding, retention
    from app.scheduler import Scheduler, job_chores, outbox_chores
    from app.verification import chores as verification_chores
    from consumers.analytics.wiring import CHORES as ANALYTICS_CHORES
    from consumers.embeddings.wiring import CHORES
    from runtime.postgres import open_pool

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_pool(settings.database_url, max_size=2, name="stunity-scheduler") as pool:
        chores = [
            *outbox_chores(settings.stunity_profile),
            *retention.chores(settings),
            *job_chores(
                [
                    *CHORES,
                    *ANALYTICS_CHORES,
                    *verification_chores(settings),
                    *rebuilding.chores(settings),
                ]
            ),
        ]
        await Scheduler(pool, chores).run(stop)
