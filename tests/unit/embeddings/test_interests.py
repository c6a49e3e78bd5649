"""Acts become one direction: the mean, weighted, decayed, and the same as long as nothing new happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from consumers.embeddings.interests import HALF_LIFE_DAYS, Signal, build
from consumers.embeddings.schema import Vector, to_text

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def unit(*values: float) -> Vector:
    vector = np.array(values, dtype=np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


X, Y = unit(1, 0), unit(0, 1)


def test_nobody_is_interested_in_anything_without_signals() -> None:
    assert build([]) is None
    assert build([Signal(1, NOW, X), Signal(1, NOW, -X)]) is None


def test_a_half_life_halves_an_act() -> None:
    built = build([Signal(1, NOW, X), Signal(2, NOW - timedelta(days=HALF_LIFE_DAYS), Y)])
    assert built == pytest.approx(unit(1, 1))


def test_time_going_by_changes_nothing() -> None:
    acts = [Signal(3, NOW, X), Signal(5, NOW - timedelta(days=9), Y)]
    later = [act._replace(at=act.at + timedelta(days=400)) for act in acts if act.at]
    assert build(later) == pytest.approx(build(acts))


def test_a_profile_does_not_age() -> None:
    assert build([Signal(1, None, X), Signal(1, NOW, Y)]) == pytest.approx(unit(1, 1))


def test_vectors_are_written_as_pgvector_reads_them() -> None:
    assert to_text(np.array([0.5, -1.0, 0.1234567], dtype=np.float32)) == "[0.5,-1,0.123457]"
