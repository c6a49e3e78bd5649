"""What people do: follow, block, view, like, comment, bookmark, try quizzes. Heavy tails, after the post was written.

Drawn a column at a time; nobody does anything with a post that they cannot see, nor likes or follows twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from psycopg.types.json import Jsonb

from producers.synthetic.audience import EVERYBODY, Audiences, Ints
from producers.synthetic.people import People
from producers.synthetic.posts import Counters, Floats, Posts
from producers.synthetic.prose import Writer
from producers.synthetic.size import DAYS
from producers.synthetic.table import Rows, Table

_END: Final = DAYS * 86_400
_REACTIONS: Final = ("LIKE", "LIKE", "LIKE", "LIKE", "INSIGHTFUL", "INSIGHTFUL", "CELEBRATE", "SMART_TAKE")
_SOURCES: Final = ("feed",) * 7 + ("post_detail", "post_detail", "direct", "share")
_SAMPLED_DURATION: Final = 3  # what upstream's mobile app sends with every view of its one-in-five sample
_SAMPLE_WEIGHT: Final = 5


class Actions(NamedTuple):
    """Who did something with which post, and when (seconds after the beginning), in that order."""

    post: Ints
    user: Ints
    second: Ints

    @property
    def total(self) -> int:
        """How many."""
        return len(self.post)


class Activity:
    """All actions of one network."""

    def __init__(self, people: People, posts: Posts, audiences: Audiences) -> None:
        self.size = people.size
        self._people = people
        self._posts = posts
        self._audiences = audiences

    @cached_property
    def likes(self) -> Actions:
        """One per person and post."""
        return self._act("likes", self.size.likes, self._posts.appeal)

    @cached_property
    def comments(self) -> Actions:
        """At most one per person, post and hour."""
        return self._act("comments", self.size.comments, self._posts.appeal, hourly=True)

    @cached_property
    def bookmarks(self) -> Actions:
        """One per person and post."""
        return self._act("bookmarks", self.size.bookmarks, self._posts.appeal)

    @cached_property
    def views(self) -> Actions:
        """One per person, post and hour."""
        return self._act("views", self.size.views, self._posts.appeal, hourly=True)

    @cached_property
    def attempts(self) -> Actions:
        """One per person and quiz."""
        appeal = np.zeros(self.size.posts)
        quizzes = [post.number for post in self._posts.quizzes]
        appeal[quizzes] = self._posts.appeal[quizzes]
        return self._act("attempts", self.size.attempts, appeal)

    @cached_property
    def counters(self) -> Counters:
        """Per post; a sampled view counts for those that were not sent."""
        count, weights = self.size.posts, np.where(self._sampled, _SAMPLE_WEIGHT, 1)
        return Counters(
            np.bincount(self.likes.post, minlength=count),
            np.bincount(self.comments.post, minlength=count),
            np.bincount(self.views.post, weights=weights, minlength=count).astype(np.int64),
        )

    @cached_property
    def _sampled(self) -> Any:
        return self.size.generator("sampled").random(self.views.total) < 0.3

    def follows(self) -> tuple[Ints, Ints]:
        """Followers and those whom they follow: mostly in one's own school, and a few have most followers."""
        users, wanted = self.size.users, min(self.size.follows, self.size.users * (self.size.users - 1) // 4)
        generator = self.size.generator("follows")
        schools = np.array(
            [EVERYBODY if person.school is None else person.school for person in self._people.everybody]
        )
        pairs = np.empty(0, dtype=np.int64)
        for _ in range(20):
            follower = generator.integers(0, users, 2 * wanted)
            groups = np.where(generator.random(len(follower)) < 0.8, schools[follower], EVERYBODY)
            followed = self._audiences.draw(groups, generator)
            new = (follower * users + followed)[follower != followed]
            pairs = _first_of_each(np.concatenate([pairs, new]))
            if len(pairs) >= wanted:
                break
        return pairs[:wanted] // users, pairs[:wanted] % users

    def tables(self) -> list[Table]:
        """Six tables, in the order of their foreign keys."""
        return [
            Table("likes", ("id", "postId", "userId", "reactionType", "createdAt"), self._like_rows, self.likes.total),
            Table(
                "comments", ("id", "postId", "authorId", "content", "parentId", "createdAt", "updatedAt"),
                self._comment_rows, self.comments.total,
            ),
            Table("bookmarks", ("id", "postId", "userId", "createdAt"), self._bookmark_rows, self.bookmarks.total),
            Table(
                "quiz_attempts",
                ("id", "quizId", "userId", "answers", "score", "pointsEarned", "passed", "submittedAt"),
                self._attempt_rows, self.attempts.total,
            ),
            Table(
                "post_views", ("id", "postId", "userId", "viewedAt", "duration", "source"), self._view_rows,
                self.views.total,
            ),
        ]  # fmt: skip

    def social_tables(self) -> list[Table]:
        """Follows and blocks."""
        follower, followed = self.follows()
        pairs = set(zip(follower.tolist(), followed.tolist(), strict=True))
        blocks = self._blocks(pairs)
        return [
            Table(
                "follows", ("id", "followerId", "followingId", "createdAt"),
                lambda: self._pair_rows("f", zip(follower.tolist(), followed.tolist(), strict=True)), len(pairs),
            ),
            Table(
                "user_blocks", ("id", "blockerId", "blockedId", "createdAt"),
                lambda: self._pair_rows("x", iter(blocks)), len(blocks),
            ),
        ]  # fmt: skip

    def _act(self, area: str, wanted: int, appeal: Floats, *, hourly: bool = False) -> Actions:
        """Up to `wanted` distinct actions; a small network may not have that many different ones."""
        generator, posts = self.size.generator(area), self._posts
        empty = np.empty(0, dtype=np.int64)
        kept = Actions(empty, empty, empty)
        if wanted == 0 or not appeal.any():
            return kept
        chances = appeal / appeal.sum()
        for _ in range(6):
            post = generator.choice(len(chances), size=max(wanted // 2, 100) + wanted - kept.total, p=chances)
            user = self._audiences.draw(posts.audience[post], generator)
            second = posts.seconds[post] + ((_END - posts.seconds[post]) * generator.random(len(post)) ** 3)
            new = Actions(post, user, second.astype(np.int64))
            kept = _distinct(Actions(*map(np.concatenate, zip(kept, new, strict=True))), hourly)
            if kept.total >= wanted:
                break
        order = np.argsort(kept.second[:wanted], kind="stable")
        return Actions(*(column[:wanted][order] for column in kept))

    def _blocks(self, follows: set[tuple[int, int]]) -> list[tuple[int, int]]:
        rng, chosen = self.size.random("blocks"), set[tuple[int, int]]()
        others = range(self.size.core, self.size.users)
        for _ in range(self.size.blocks if len(others) > 1 else 0):
            one, other = rng.sample(others, 2)
            if not {(one, other), (other, one)} & (follows | chosen):
                chosen.add((one, other))
        return sorted(chosen)

    def _pair_rows(self, kind: str, pairs: Any) -> Rows:
        for number, (one, other) in enumerate(pairs):
            second = self.size.random(kind, number).randrange(_END)
            yield (
                self.size.id(kind, number), self._people.user_id(one), self._people.user_id(other), self._at(second),
            )  # fmt: skip

    def _each(self, actions: Actions) -> Any:
        columns = (actions.post.tolist(), actions.user.tolist(), actions.second.tolist())
        for number, (post, user, second) in enumerate(zip(*columns, strict=True)):
            yield number, self.size.id("p", post), self._people.user_id(user), self._at(second)

    def _like_rows(self) -> Rows:
        kinds = self.size.generator("reactions").integers(0, len(_REACTIONS), self.likes.total).tolist()
        for number, post, user, when in self._each(self.likes):
            yield self.size.id("l", number), post, user, _REACTIONS[kinds[number]], when

    def _bookmark_rows(self) -> Rows:
        for number, post, user, when in self._each(self.bookmarks):
            yield self.size.id("b", number), post, user, when

    def _comment_rows(self) -> Rows:
        first_of: dict[str, str] = {}
        for number, post, user, when in self._each(self.comments):
            rng, about = self.size.random("comment", number), self._posts.all[int(self.comments.post[number])]
            comment = self.size.id("m", number)
            parent = first_of.setdefault(post, comment)
            answers = parent != comment and rng.random() < 0.3
            text = Writer(rng, about.subject, about.topic).comment()
            yield comment, post, user, text, parent if answers else None, when, when

    def _attempt_rows(self) -> Rows:
        columns = zip(self.attempts.post.tolist(), self._each(self.attempts), strict=True)
        for post, (number, _, user, when) in columns:
            rng = self.size.random("attempt", number)
            answers, right = [], 0
            for question in self._posts.questions(self._posts.all[post]):
                known = rng.random() < 0.65
                answer = question["correctAnswer"] if known else str(rng.randrange(len(question["options"])))
                right += answer == question["correctAnswer"]
                answers.append({"questionId": question["id"], "answer": answer})
            score = round(100 * right / len(answers))
            yield (
                self.size.id("a", number), self.size.id("q", post), user, Jsonb(answers), score, 10 * right,
                score >= 60, when,
            )  # fmt: skip

    def _view_rows(self) -> Rows:
        generator, count = self.size.generator("durations"), self.views.total
        durations = np.clip(generator.lognormal(2.5, 1.0, count), 1, 600).astype(np.int64).tolist()
        sources = generator.integers(0, len(_SOURCES), count).tolist()
        sampled = self._sampled.tolist()
        for number, post, user, when in self._each(self.views):
            duration = _SAMPLED_DURATION if sampled[number] else durations[number]
            yield self.size.id("v", number), post, user, when, duration, _SOURCES[sources[number]]

    def _at(self, second: int) -> datetime:
        return self.size.began + timedelta(seconds=second)


def _distinct(actions: Actions, hourly: bool) -> Actions:
    key = actions.post * (actions.user.max() + 1) + actions.user
    if hourly:
        key = key * (DAYS * 24 + 1) + actions.second // 3_600
    first = np.sort(np.unique(key, return_index=True)[1])
    return Actions(*(column[first] for column in actions))


def _first_of_each(values: Ints) -> Ints:
    return values[np.sort(np.unique(values, return_index=True)[1])]
