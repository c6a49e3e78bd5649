"""`stunity api`: the HTTP API in one process."""

from __future__ import annotations

from typing import Annotated

import typer

from app import wiring
from runtime import garbage, logs
from runtime.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def api(
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    ) -> None:
        """Answer HTTP. SIGTERM lets requests in hand finish."""
        import uvicorn

        from app.api import create_app

        settings = wiring.load_settings()
        logs.configure(settings.log_level, process="api")
        application = create_app(settings)
        garbage.settle()
        try:
            uvicorn.run(
                application,
                host=host,
                port=port,
                loop="uvloop",
                http="httptools",
                access_log=False,  # addresses of people's searches have no place in a log
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies,
                timeout_graceful_shutdown=10,
                log_level="warning",
            )
        except SystemExit as error:  # its way of saying that it could not begin; why, it has said
            raise ConfigurationError(f"the API cannot listen on {host}:{port}") from error
