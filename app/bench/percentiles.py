"""The three figures by which latencies are told."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile (ms); zeros for fewer than two."""
    cuts = quantiles(milliseconds, n=100) if len(milliseconds) > 1 else [0.0] * 99
    return {"p50_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2), "p99_ms": round(cuts[98], 2)}
