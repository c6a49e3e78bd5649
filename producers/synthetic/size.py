"""How big the network is and which one it is: sizes, seed, the end of its time, and the ids that follow from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import numpy as np

from producers.ids import base36
from runtime.errors import ConfigurationError

DAYS: Final = 90
_LARGEST: Final = 10_000_000


def this_hour() -> datetime:
    """Now in UTC, cut to the hour and without a zone, as upstream's columns want it."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)


@dataclass(frozen=True)
class Size:
    """A network is a pure function of this; `as_of` moves its times only, so that ids stay."""

    users: int = 200
    posts: int = 1_000
    follows: int = 2_000
    views: int = 10_000
    schools: int = 3
    seed: int = 1
    as_of: datetime = field(default_factory=this_hour)

    def __post_init__(self) -> None:
        least = {"users": self.core, "posts": 1, "follows": 0, "views": 0, "schools": 1}
        for name, minimum in least.items():
            if not minimum <= getattr(self, name) <= _LARGEST:
                raise ConfigurationError(f"--{name} must be between {minimum:,} and {_LARGEST:,}")

    @property
    def likes(self) -> int:
        """How many likes to aim at."""
        return 3 * self.posts

    @property
    def comments(self) -> int:
        """How many comments to aim at."""
        return self.posts

    @property
    def bookmarks(self) -> int:
        """How many bookmarks to aim at."""
        return self.posts // 2

    @property
    def attempts(self) -> int:
        """How many quiz attempts to aim at."""
        return self.posts // 2

    @property
    def blocks(self) -> int:
        """How many blocks to aim at."""
        return self.users // 50 + 1

    @property
    def clubs(self) -> int:
        """How many clubs."""
        return max(3 * self.schools, self.users // 20)

    @property
    def courses(self) -> int:
        """How many courses."""
        return max(12, self.users // 20)

    @property
    def core(self) -> int:
        """People below this number are in use, neither hidden nor blocked: tours and tests rely on them."""
        return 6 * self.schools

    @property
    def began(self) -> datetime:
        """When the first post was written."""
        return self.as_of - timedelta(days=DAYS)

    @property
    def namespace(self) -> int:
        """A number that no network of another seed or size has."""
        identity = f"{self.seed}/{self.users}/{self.posts}/{self.follows}/{self.views}/{self.schools}"
        return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:5], "big")

    def id(self, kind: str, number: int) -> str:
        """The id of the row `number` of one kind; kinds are single letters."""
        return f"s{base36(self.namespace, 8)}{kind}{base36(number, 6)}"

    def random(self, area: str, number: int = 0) -> Random:
        """Chance for one row: what another row draws never changes it."""
        return Random(f"{self.namespace}/{area}/{number}")  # noqa: S311 - reproducible on purpose

    def generator(self, area: str) -> np.random.Generator:
        """Chance for a whole column at once."""
        digest = hashlib.sha256(f"{self.namespace}/{area}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))
