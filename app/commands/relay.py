"""`stunity relay`: from the log to the streams, as one process."""

from __future__ import annotations

import signal
import sys
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from app.environment import load_settings
from runtime import garbage, logs
from runtime.errors import ConfigurationError
from runtime.settings import Profile, Settings

if TYPE_CHECKING:
    from outbox.relay.settings import RelaySettings


class Mode(StrEnum):
    """Where the relay reads."""

    WAL = "wal"
    POLL = "poll"
    AUTO = "auto"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def relay(
        mode: Annotated[
            Mode, typer.Option(help="wal: logical decoding; poll: any pooler; auto: wal where it can be had.")
        ] = Mode.AUTO,
        metrics_port: Annotated[
            int | None,
            typer.Option(
                min=1, max=65535, help="Serve Prometheus metrics on this port of the loopback interface."
            ),
        ] = None,
    ) -> None:
        """Publish committed events to the streams. SIGTERM publishes what has been read, and stops.

        Several may run: one works, the others stand by and take over when it dies.
        """
        settings = load_settings()
        logs.configure(settings.log_level, process="relay")
        if metrics_port is not None:
            from prometheus_client import start_http_server

            try:
                start_http_server(metrics_port, "127.0.0.1")
            except OSError as error:
                raise ConfigurationError(f"port {metrics_port} cannot be had: {error.strerror}") from error
        serve(relay_settings(settings, mode))


def serve(settings: RelaySettings) -> None:
    """Relay in this process until SIGTERM or SIGINT."""
    from outbox.relay import failpoints
    from outbox.relay.service import Relay

    service = Relay(settings, failpoints.from_environment())
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread: a handler that takes a lock which the interrupted code holds would wait for ever.
        signal.signal(number, lambda *_: threading.Thread(target=service.stop).start())
    _tune()
    service.run()


def _tune() -> None:
    """Thousands of buffers wait in one batch, none in a cycle; and the thread that sends must not wait for its turn."""
    garbage.settle()
    sys.setswitchinterval(0.0005)


def relay_settings(settings: Settings, mode: Mode = Mode.AUTO) -> RelaySettings:
    """The relay's part of the process's settings.

    Raises:
        ConfigurationError: there is no Redis to publish to.
    """
    from outbox.relay.settings import RelaySettings

    if settings.redis_url is None:
        raise ConfigurationError("REDIS_URL is not set: there are no streams to publish to")
    given = RelaySettings(
        database_url=settings.database_url,
        replication_url=settings.replication_url,
        redis_url=settings.redis_url,
        prefix=settings.stream_prefix,
        mode=mode.value,
        partitions=settings.stream_partitions,
        trail_seconds=settings.relay_confirm_lag_seconds,
        trail_bytes=settings.relay_confirm_lag_bytes,
    )
    return given.economical() if settings.stunity_profile is Profile.ECONOMY else given
