"""Ids in the shape that upstream's client makes (cuid): opaque text, roughly ascending, no database default."""

from __future__ import annotations

import secrets
import time
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS: Final = 8
_RANDOM_DIGITS: Final = 16


def base36(number: int, width: int = 1) -> str:
    """A non-negative number in base 36, padded with zeros to `width`."""
    digits = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def new_id() -> str:
    """25 characters: `c`, the milliseconds, and 82 random bits."""
    milliseconds = base36(time.time_ns() // 1_000_000, _TIME_DIGITS)
    return f"c{milliseconds}{base36(secrets.randbelow(36**_RANDOM_DIGITS), _RANDOM_DIGITS)}"
