"""Drawing who does something with which post, and when: a column at a time, with heavy tails, nothing twice."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from producers.synthetic.audience import Audiences, Ints
from producers.synthetic.posts import Floats, Posts
from producers.synthetic.size import DAYS

_END: Final = DAYS * 86_400
_ROUNDS: Final = 6


class Actions(NamedTuple):
    """Who did something with which post, and when (seconds after the beginning), in that order."""

    post: Ints
    user: Ints
    second: Ints

    @property
    def total(self) -> int:
        """How many."""
        return len(self.post)


def draw(
    posts: Posts, audiences: Audiences, area: str, wanted: int, appeal: Floats, *, hourly: bool = False
) -> Actions:
    """Up to `wanted` actions, one per person and post, or one in an hour.

    They fall on posts by `appeal`, only on what the person sees, and after the post was written; a small network may
    not have that many different ones.
    """
    generator, empty = posts.size.generator(area), np.empty(0, dtype=np.int64)
    kept = Actions(empty, empty, empty)
    if wanted == 0 or not appeal.any():
        return kept
    chances = appeal / appeal.sum()
    for _ in range(_ROUNDS):
        post = generator.choice(len(chances), size=max(wanted // 2, 100) + wanted - kept.total, p=chances)
        user = audiences.draw(posts.audience[post], generator)
        written = posts.seconds[post]
        second = (written + (_END - written) * generator.random(len(post)) ** 3).astype(np.int64)
        kept = _distinct(_joined(kept, Actions(post, user, second)), hourly)
        if kept.total >= wanted:
            break
    order = np.argsort(kept.second[:wanted], kind="stable")
    return Actions(*(column[:wanted][order] for column in kept))


def _joined(one: Actions, other: Actions) -> Actions:
    return Actions(*(np.concatenate(columns) for columns in zip(one, other, strict=True)))


def _distinct(actions: Actions, hourly: bool) -> Actions:
    key = actions.post * (actions.user.max() + 1) + actions.user
    if hourly:
        key = key * (DAYS * 24 + 1) + actions.second // 3_600
    first = np.sort(np.unique(key, return_index=True)[1])
    return Actions(*(column[first] for column in actions))
