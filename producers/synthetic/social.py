"""Follows and blocks: mostly within one's own school, and a few people have most of the followers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Final

import numpy as np

from producers.synthetic.audience import EVERYBODY, Audiences
from producers.synthetic.people import People
from producers.synthetic.size import DAYS
from producers.synthetic.table import Rows, Table

Pair = tuple[int, int]

_FOLLOWS: Final = ("id", "followerId", "followingId", "createdAt")
_BLOCKS: Final = ("id", "blockerId", "blockedId", "createdAt")
_IN_OWN_SCHOOL: Final = 0.8
_ROUNDS: Final = 20


class Social:
    """Who follows and who blocks whom."""

    def __init__(self, people: People, audiences: Audiences) -> None:
        self.size = people.size
        self._people = people
        self._audiences = audiences

    @cached_property
    def follows(self) -> list[Pair]:
        """Followers and those whom they follow."""
        users = self.size.users
        wanted = min(self.size.follows, users * (users - 1) // 4)
        generator = self.size.generator("follows")
        schools = np.array([EVERYBODY if p.school is None else p.school for p in self._people.everybody])
        pairs = np.empty(0, dtype=np.int64)
        for _ in range(_ROUNDS):
            follower = generator.integers(0, users, 2 * wanted)
            at_home = generator.random(len(follower)) < _IN_OWN_SCHOOL
            followed = self._audiences.draw(np.where(at_home, schools[follower], EVERYBODY), generator)
            pairs = np.concatenate([pairs, (follower * users + followed)[follower != followed]])
            pairs = pairs[np.sort(np.unique(pairs, return_index=True)[1])]
            if len(pairs) >= wanted:
                break
        return [divmod(pair, users) for pair in pairs[:wanted].tolist()]

    @cached_property
    def blocks(self) -> list[Pair]:
        """Who blocks whom; nobody blocks whom they follow, and the core is left out of it."""
        rng, followed, chosen = self.size.random("blocks"), set(self.follows), set[Pair]()
        others = range(self.size.core, self.size.users)
        for _ in range(self.size.blocks if len(others) > 1 else 0):
            one, other = rng.sample(others, 2)
            if not {(one, other), (other, one)} & (followed | chosen):
                chosen.add((one, other))
        return sorted(chosen)

    def tables(self) -> list[Table]:
        """Two tables."""
        return [
            Table("follows", _FOLLOWS, lambda: self._rows("f", self.follows), len(self.follows)),
            Table("user_blocks", _BLOCKS, lambda: self._rows("x", self.blocks), len(self.blocks)),
        ]

    def _rows(self, kind: str, pairs: Sequence[Pair]) -> Rows:
        seconds = self.size.generator(f"when-{kind}").integers(0, DAYS * 86_400, len(pairs)).tolist()
        for number, ((one, other), second) in enumerate(zip(pairs, seconds, strict=True)):
            when = self.size.began + timedelta(seconds=second)
            yield self.size.id(kind, number), self._people.user_id(one), self._people.user_id(other), when
