"""Waiting for an effect and taking the time from the commit, by the database's clock and this machine's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

_PAUSE: Final = 0.015


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the report. `ms` is from the commit to the effect; None for a check without a clock."""

    where: str
    ok: bool
    ms: float | None = None
    note: str = ""


async def effect(
    where: str, committed: float, check: Callable[[], Awaitable[Any]], *, timeout: float = 15.0
) -> Outcome:
    """Poll until `check` gives something true.

    Args:
        where: what the effect is called in the report.
        committed: unix time (s) of the write.
        check: looks once; an HTTP error counts as not yet.
        timeout: seconds until the effect counts as missing.
    """
    deadline = time.monotonic() + timeout
    last = ""
    while time.monotonic() < deadline:
        try:
            if await check():
                return Outcome(where, True, (time.time() - committed) * 1000)
        except httpx.HTTPError as error:
            last = str(error)
        await asyncio.sleep(_PAUSE)
    return Outcome(where, False, None, last or f"not there after {timeout:.0f} s")
