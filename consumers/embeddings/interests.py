"""What a person is interested in, as one vector: the mean of what they acted on, the recent and the deliberate first.

Pure. Ages count from the person's latest act, not from today, so an unchanged history keeps its vector and nothing has
to be rebuilt because time went by. Which acts count how much is in `sql/people.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from consumers.embeddings.schema import Vector

HALF_LIFE_DAYS: Final = 21.0


class Signal(NamedTuple):
    """An act of a person and the vector of what it was about; without a time it is what their profile says."""

    weight: float
    at: datetime | None
    vector: Vector


def build(signals: Sequence[Signal]) -> Vector | None:
    """The unit vector of a person's interests; None when nothing is known of them."""
    if not signals:
        return None
    latest = max((signal.at for signal in signals if signal.at is not None), default=None)
    weights = np.array([signal.weight * _decay(signal.at, latest) for signal in signals], dtype=np.float32)
    total = weights @ np.stack([signal.vector for signal in signals])
    length = float(np.linalg.norm(total))
    return (total / length).astype(np.float32) if length > 1e-6 else None


def _decay(at: datetime | None, latest: datetime | None) -> float:
    if at is None or latest is None:
        return 1.0
    return float(0.5 ** ((latest - at).total_seconds() / 86_400 / HALF_LIFE_DAYS))
