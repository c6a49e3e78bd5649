"""Connections to Typesense, and what it looks like when there is none.

Through aiohttp: the same request costs the process 1.4 ms with httpx and 0.4 ms with this, and a busy API or consumer
runs out of processor time first. What is said over them is `store.py`, and for searches `searches.py`.
"""

from __future__ import annotations

from typing import Final
from urllib.request import getproxies, proxy_bypass

import aiohttp

from runtime.errors import Retryable
from runtime.settings import Settings

#: What a server that does not answer looks like.
AWAY: Final = (aiohttp.ClientError, TimeoutError)
#: A connection that has been idle for longer may have been closed by a proxy a moment before we use it.
_IDLE_SECONDS: Final = 5.0


def session(settings: Settings, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """Connections to the server of the settings."""
    assert settings.typesense_api_key is not None
    protocol, host = settings.typesense_protocol, settings.typesense_host
    assert host is not None
    return aiohttp.ClientSession(
        f"{protocol}://{host}:{settings.typesense_port}",
        headers={
            "X-TYPESENSE-API-KEY": settings.typesense_api_key.get_secret_value(),
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # keys of a page: zipping takes longer than sending
        },
        timeout=timeout,
        connector=aiohttp.TCPConnector(keepalive_timeout=_IDLE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=None if proxy_bypass(host) else getproxies().get(protocol),  # looked up once
    )


def unreachable(error: Exception) -> Retryable:
    """No answer, or half of one."""
    return Retryable(f"Typesense cannot be reached: {type(error).__name__} {error}")
