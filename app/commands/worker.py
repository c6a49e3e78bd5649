"""`stunity worker`: one process that runs jobs."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Annotated

import typer

from app import wiring
from runtime import logs
from runtime.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker(
        queues: Annotated[
            list[str] | None,
            typer.Option("--queue", help="Serve only this queue; repeatable. All by default."),
        ] = None,
        threads: Annotated[int, typer.Option(min=1, max=64, help="Jobs that may run at the same time.")] = 4,
    ) -> None:
        """Run heavy and long jobs: embeddings, interests, rebuilds. SIGTERM lets running ones finish."""
        settings = wiring.load_settings()
        logs.configure(settings.log_level, process="worker")
        logging.getLogger("psycopg.pool").setLevel(
            logging.ERROR
        )  # dramatiq says once that PostgreSQL is away
        asyncio.run(_serve(settings, queues or [], threads))


async def _serve(settings: Settings, queues: list[str], threads: int) -> None:
    from app import jobs

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await jobs.serve(settings, stop, queues=queues, threads=threads)
