"""Who counts as an operator: somebody on this machine, or a SUPER_ADMIN with a valid token.

"On this machine" is believed only of a request that no proxy has passed on: behind one, every request comes from
loopback.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from runtime.auth import viewer
from runtime.http import Problem

_PASSED_ON: Final = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
)


async def operator(request: Request) -> None:
    """FastAPI dependency: lets operators through.

    Raises:
        Problem: 401 without a token, 403 with somebody else's.
    """
    if is_local(request):
        return
    if (await viewer(request)).role != "SUPER_ADMIN":
        raise Problem(403, detail="This is for the platform's operators.")


def is_local(request: Request) -> bool:
    """Whether the request was made on this machine, to this machine's own name."""
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    return _is_loopback(request.client.host) and (host == "localhost" or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
