"""structlog, set up once per process: keys instead of prose, one line per batch and never one per event."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str = "INFO", *, process: str | None = None) -> None:
    """Send log lines to standard error: coloured on a terminal, JSON elsewhere."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # psycopg tells of each try to connect; who needs the connection says it once, when the last one has failed.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    if process:
        structlog.contextvars.bind_contextvars(process=process)
