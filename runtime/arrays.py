"""Columns as PostgreSQL array literals. Pure.

Batches are columns of hundreds of values; joining text is many times faster than adapting each value by itself.
"""

from __future__ import annotations

from collections.abc import Iterable


def integers(values: Iterable[int]) -> str:
    """For `%s::bigint[]` and the like."""
    return f"{{{','.join(map(str, values))}}}"


def texts(values: Iterable[str]) -> str:
    """For `%s::text[]`; every value is quoted."""
    values = list(values)
    if not values:
        return "{}"
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        joined = '","'.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return f'{{"{joined}"}}'


def bytestrings(values: Iterable[bytes]) -> str:
    """For `%s::bytea[]`."""
    return texts(f"\\x{value.hex()}" for value in values)
