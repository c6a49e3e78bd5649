"""The Redis (or Valkey) client: timeouts that suit blocking reads, replies as bytes, errors translated once."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

#: What callers treat as "Redis is away or will not take this now".
TRANSIENT = (RedisError, ConnectionError, TimeoutError, OSError)

Client = redis.asyncio.Redis

#: A connection that waits for minutes is kept open by routers and found dead by the kernel, without a command.
_KEEPALIVE: Final = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)  # macOS has not all of them
}


@asynccontextmanager
async def open_client(
    url: str, *, timeout: float | None = 5.0, name: str = "stunity"
) -> AsyncIterator[Client]:
    """A client whose commands give up after `timeout` seconds (None for connections that block on streams)."""
    client: Client = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        socket_keepalive_options=_KEEPALIVE,
        health_check_interval=0,
        client_name=name,
    )
    try:
        yield client
    finally:
        await client.aclose()
