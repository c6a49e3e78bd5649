"""What people do with posts: view, like, comment, bookmark, try quizzes. How it is drawn stands in `actions.py`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from producers.synthetic.actions import Actions, draw
from producers.synthetic.audience import Audiences
from producers.synthetic.people import People
from producers.synthetic.posts import Counters, Floats, Posts
from producers.synthetic.prose import Writer
from producers.synthetic.table import Rows, Table

_REACTIONS: Final = ("LIKE", "LIKE", "LIKE", "LIKE", "INSIGHTFUL", "INSIGHTFUL", "CELEBRATE", "SMART_TAKE")
_SOURCES: Final = ("feed",) * 7 + ("post_detail", "post_detail", "direct", "share")
_SAMPLED_DURATION: Final = 3  # what upstream's mobile app sends with every view of its one-in-five sample
_SAMPLE_WEIGHT: Final = 5

_LIKES: Final = ("id", "postId", "userId", "reactionType", "createdAt")
_COMMENTS: Final = ("id", "postId", "authorId", "content", "parentId", "createdAt", "updatedAt")
_BOOKMARKS: Final = ("id", "postId", "userId", "createdAt")
_ATTEMPTS: Final = ("id", "quizId", "userId", "answers", "score", "pointsEarned", "passed", "submittedAt")
_VIEWS: Final = ("id", "postId", "userId", "viewedAt", "duration", "source")


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
        return self._draw("likes", self.size.likes, self._posts.appeal)

    @cached_property
    def comments(self) -> Actions:
        """At most one per person, post and hour."""
        return self._draw("comments", self.size.comments, self._posts.appeal, hourly=True)

    @cached_property
    def bookmarks(self) -> Actions:
        """One per person and post."""
        return self._draw("bookmarks", self.size.bookmarks, self._posts.appeal)

    @cached_property
    def views(self) -> Actions:
        """One per person, post and hour."""
        return self._draw("views", self.size.views, self._posts.appeal, hourly=True)

    @cached_property
    def attempts(self) -> Actions:
        """One per person and quiz."""
        appeal = np.zeros(self.size.posts)
        quizzes = [post.number for post in self._posts.quizzes]
        appeal[quizzes] = self._posts.appeal[quizzes]
        return self._draw("attempts", self.size.attempts, appeal)

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
    def _sampled(self) -> NDArray[np.bool_]:
        return self.size.generator("sampled").random(self.views.total) < 0.3

    def tables(self) -> list[Table]:
        """Five tables, in the order of their foreign keys."""
        return [
            Table("likes", _LIKES, self._like_rows, self.likes.total),
            Table("comments", _COMMENTS, self._comment_rows, self.comments.total),
            Table("bookmarks", _BOOKMARKS, self._bookmark_rows, self.bookmarks.total),
            Table("quiz_attempts", _ATTEMPTS, self._attempt_rows, self.attempts.total),
            Table("post_views", _VIEWS, self._view_rows, self.views.total),
        ]

    def _draw(self, area: str, wanted: int, appeal: Floats, *, hourly: bool = False) -> Actions:
        return draw(self._posts, self._audiences, area, wanted, appeal, hourly=hourly)

    def _each(self, actions: Actions) -> Iterator[tuple[int, str, str, datetime]]:
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
