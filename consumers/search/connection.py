"""Connections to Typesense: requests over them, and what it means when there is no answer or no success.

Through aiohttp: the same request costs the process 1.4 ms with httpx and 0.4 ms with this, and a busy API or consumer
runs out of processor time first. What is said over them is `store.py`, and for searches `searches.py`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp

from runtime.errors import Permanent, Retryable
from runtime.settings import Settings

#: What a server that does not answer looks like.
AWAY: Final = (aiohttp.ClientError, TimeoutError)
#: A connection that has been idle for longer may have been closed by a proxy a moment before we use it.
_IDLE_SECONDS: Final = 5.0
#: Besides 5xx: a key that is being changed, a server that is full or busy. None of it is the document's fault.
PASSING: Final = frozenset({401, 403, 408, 409, 422, 425, 429})


class NotThere(Retryable):
    """A collection or alias does not exist (yet, or any more)."""


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


async def exchange(
    session: aiohttp.ClientSession, method: str, path: str, *, accept: tuple[int, ...] = (), **options: Any
) -> tuple[int, bytes]:
    """Status and body of an answer that is a success, or one of the statuses in `accept`.

    Raises:
        Retryable, Permanent: see `unreachable` and `error_of`.
    """
    try:
        async with session.request(method, path, **options) as response:
            answer = await response.read()
    except AWAY as error:
        raise unreachable(error) from error
    if not response.ok and response.status not in accept:
        raise error_of(response.status, answer.decode(errors="replace"))
    return response.status, answer


def unreachable(error: Exception) -> Retryable:
    """No answer, or half of one."""
    return Retryable(f"Typesense cannot be reached: {type(error).__name__} {error}")


def error_of(status: int, reason: str) -> Retryable | Permanent:
    """What an answer that is no success means."""
    text = f"Typesense answered {status}: {reason[:200]}"
    if status == HTTPStatus.NOT_FOUND:
        return NotThere(text)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
        return Retryable(text)
    return Permanent(text)
