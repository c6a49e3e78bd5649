"""`stunity consume`: one process that keeps views in sync."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from app import wiring
from runtime import garbage, logs
from runtime.errors import ConfigurationError
from runtime.settings import Settings

if TYPE_CHECKING:
    from runtime.redis import Client

log = structlog.get_logger(__name__)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def consume(
        names: Annotated[
            list[str], typer.Argument(metavar="NAME…", help="search, embeddings, feeds, analytics")
        ],
    ) -> None:
        """Keep views in sync with the events. SIGTERM finishes the batch in hand and stops.

        Several processes may consume the same view: one of them does it, the others stand by.
        """
        settings = wiring.load_settings()
        logs.configure(settings.log_level, process=f"consume {' '.join(names)}")
        import uvloop

        if not uvloop.run(_serve(settings, list(dict.fromkeys(names)))):
            raise typer.Exit(1)


async def _serve(settings: Settings, names: list[str]) -> bool:
    """Run until stopped; False when a consumer has died of a bug: half a process is worse than a restarted one."""
    from app import views
    from consumers.engine.options import Options
    from consumers.engine.rebuild.kept import Keeper
    from consumers.engine.rebuild.register import Register
    from consumers.engine.runner import Runner
    from runtime.postgres import open_pool

    garbage.settle()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = Options.of(settings.stunity_profile)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.database_url, max_size=2 + 3 * len(names), name=f"stunity-{names[0]}")
        )
        client = await stack.enter_async_context(_stream_client(settings, options.block))
        projections = [
            await stack.enter_async_context(views.projection(name, settings, pool)) for name in names
        ]
        keepers = []
        for name in names:
            with suppress(ConfigurationError):  # a view that is switched off has no old one to keep
                shadows = await stack.enter_async_context(views.shadows(name, settings, pool))
                prefix = settings.stream_prefix
                keepers.append(Keeper(shadows, Register(pool), client, options, prefix=prefix))
        try:
            async with asyncio.TaskGroup() as tasks:
                for one in projections:
                    runner = Runner(
                        one,
                        pool,
                        client,
                        prefix=settings.stream_prefix,
                        options=options.suiting(one),
                        archive=wiring.archive(settings),
                    )
                    tasks.create_task(runner.run(stop), name=runner.name)
                for old in keepers:
                    tasks.create_task(old.run(stop))
        except ExceptionGroup as died:
            log.critical("consumer_died", exc_info=died)
            return False
    return True


@asynccontextmanager
async def _stream_client(settings: Settings, block: float) -> AsyncIterator[Client | None]:
    """A client whose patience is longer than a blocking read, and that never sends a read again by itself.

    A repeated XREADGROUP would leave the entries of the first one delivered and unseen.
    """
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from runtime.redis import open_client

    if settings.redis_url is None:
        yield None
        return
    async with open_client(settings.redis_url, timeout=block + 5.0, name="stunity-consumer") as client:
        client.set_retry(Retry(NoBackoff(), 0))
        yield client
