"""What every call of the feeds to Redis goes through: one translation of errors, one of types."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runtime.errors import Retryable
from runtime.redis import TRANSIENT


async def awaited(reply: Any) -> Any:
    """The reply of a hash command, which redis-py types for both of its clients at once."""
    return await reply


@contextmanager
def translated() -> Iterator[None]:
    """Redis away, or unwilling, comes out as Retryable."""
    try:
        yield
    except TRANSIENT as error:
        raise Retryable(f"Redis: {error}") from error
