"""One ranked list of one viewer: what Redis keeps of it, and how it is known to be out of date. Pure.

A session is never changed. When something that it rests on has moved, a new one is ranked; who is in the middle of
scrolling goes on in the old one (`cursor.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consumers.feeds.cursor import Place, RankedCursor, shown_set, was_shown
from consumers.feeds.pools import Mode
from consumers.feeds.ranking import SESSION_SIZE, WEIGHTS, Candidate, Profile, Ranked, rank
from consumers.feeds.schema import DRIFT_SECONDS
from runtime.access import Scope

#: Scores and factors are kept with this many decimals.
_DECIMALS: Final = 4
_SEMANTIC: Final = list(WEIGHTS).index("semantic")


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a session."""

    id: str
    score: float
    factors: tuple[float, ...]

    def breakdown(self) -> dict[str, float]:
        """The factors by name."""
        return dict(zip(WEIGHTS, self.factors, strict=True))


@dataclass(frozen=True, slots=True)
class Basis:
    """What a session rests on: `near` ends it at once, `drift` only when it is no longer young."""

    near: str
    drift: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """A ranked list. `id` is empty when nobody keeps it; `cut` when there is more than was ranked."""

    id: str
    ranked_at_ms: int
    entries: Sequence[Entry]
    cut: bool
    basis: Basis = Basis("", ())

    def holds(self, basis: Basis, now_ms: int) -> bool:
        """Whether it may be shown as the newest."""
        if self.basis.near != basis.near:
            return False
        return self.basis.drift == basis.drift or now_ms - self.ranked_at_ms < DRIFT_SECONDS * 1000

    def semantic(self) -> dict[str, float]:
        """The semantic factors that were found."""
        return {entry.id: entry.factors[_SEMANTIC] for entry in self.entries if entry.factors[_SEMANTIC]}


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranked list, where in it the reader stands, and whether it was kept from before."""

    session: Session
    offset: int
    hit: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Places in chronological order; `last` when nothing follows them."""

    places: Sequence[Place]
    last: bool


def ranked_entries(
    candidates: Sequence[Candidate],
    profile: Profile,
    semantic: Mapping[str, float],
    at_ms: int,
    cursor: RankedCursor | None = None,
) -> list[Entry]:
    """The places of a new session; behind a cursor, of what it has not shown and what was there at its time."""
    size = SESSION_SIZE
    if cursor is not None:
        shown = shown_set(cursor.shown)
        size -= len(shown)
        candidates = [p for p in candidates if p.created_ms <= at_ms and not was_shown(p.id, shown)]
    return [_entry(one) for one in rank(candidates, profile, semantic, at_ms, size)]


def _entry(one: Ranked) -> Entry:
    factors = tuple(round(factor, _DECIMALS) for factor in one.factors)
    return Entry(one.id, round(one.score, _DECIMALS), factors)


def near_versions(mode: Mode, scope: Scope, follows: Sequence[str]) -> list[str]:
    """The versions that end a page at once when they move; the viewer's own come first and apart."""
    names = [f"a:{author}" for author in follows]
    if mode is Mode.FOR_YOU:
        names += [f"a:{mate}" for mate in scope.classmates]
        names.append(f"a:{scope.viewer.id}")
        if scope.viewer.school_id is not None:
            names.append(f"s:{scope.viewer.school_id}")
    return names


def drift_versions(mode: Mode, scope: Scope) -> list[str]:
    """The versions that end a page which is no longer young."""
    names = ["p"]
    if mode is Mode.FOR_YOU and scope.viewer.school_id is not None:
        names.append(f"d:{scope.viewer.school_id}")
    return names


def basis_of(
    incarnation: bytes, scope: Scope, profile: tuple[int, int], near: Sequence[int], drift: Sequence[int]
) -> Basis:
    """What a page made now rests on: the life of the view, the viewer's place, and the versions."""
    facts = (
        incarnation.decode(),
        scope.viewer.school_id,
        sorted(scope.blocked),
        sorted(scope.classmates),
        profile[0],
        near,
    )
    digest = hashlib.blake2b(orjson.dumps(facts), digest_size=12).hexdigest()
    return Basis(digest, (profile[1], *drift))


def encode(session: Session) -> bytes:
    """A session as Redis keeps it."""
    return orjson.dumps(
        {
            "at": session.ranked_at_ms,
            "near": session.basis.near,
            "drift": session.basis.drift,
            "cut": session.cut,
            "posts": [(entry.id, entry.score, *entry.factors) for entry in session.entries],
        }
    )


def decode(session: str, text: bytes) -> Session:
    """The session that Redis keeps."""
    kept: dict[str, Any] = orjson.loads(text)
    entries = [Entry(post, score, tuple(factors)) for post, score, *factors in kept["posts"]]
    return Session(session, kept["at"], entries, kept["cut"], Basis(kept["near"], tuple(kept["drift"])))
