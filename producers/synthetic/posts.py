"""What is posted: by whom, when, for whom, about what. All types and visibilities; a few authors write most posts.

Counters are those of the rows that `activity.py` makes, views weighted as upstream weights its samples.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from producers.synthetic.audience import NOBODY, Audiences, Ints
from producers.synthetic.lexicon import Subject, Topic, lexicon
from producers.synthetic.people import People, Person
from producers.synthetic.prose import Writer
from producers.synthetic.size import DAYS
from producers.synthetic.table import Rows, Table

Floats = NDArray[np.float64]

_KINDS: Final = {
    "ARTICLE": 38, "QUESTION": 13, "QUIZ": 9, "RESOURCE": 8, "TUTORIAL": 8, "POLL": 5, "ANNOUNCEMENT": 4, "PROJECT": 3,
    "COURSE": 2, "RESEARCH": 2, "EXAM": 1, "ASSIGNMENT": 2, "ACHIEVEMENT": 1, "REFLECTION": 1, "COLLABORATION": 1,
    "CLUB_CREATED": 1, "EVENT_CREATED": 1,
}  # fmt: skip
_BY_STAFF: Final = frozenset({"ANNOUNCEMENT", "EXAM", "ASSIGNMENT"})
_VISIBILITIES: Final = {"SCHOOL": 45, "PUBLIC": 40, "CLASS": 10, "PRIVATE": 5}

_POSTS: Final = (
    "id", "authorId", "schoolId", "title", "content", "mediaUrls", "postType", "visibility", "likesCount",
    "commentsCount", "sharesCount", "viewsCount", "isEdited", "isPinned", "createdAt", "updatedAt", "topicTags",
    "trendingScore", "teacherVerified", "questionBounty", "studyClubId", "repostOfId", "repostComment",
    "pollExpiresAt", "assignmentDueDate", "examDate",
)  # fmt: skip
_QUIZZES: Final = (
    "id", "postId", "questions", "timeLimit", "passingScore", "totalPoints", "createdAt", "updatedAt",
)  # fmt: skip


class Post(NamedTuple):
    """What is decided about a post before it is written."""

    number: int
    kind: str
    visibility: str
    author: Person
    subject: Subject
    topic: Topic


class Counters(NamedTuple):
    """Per post, what others did with it."""

    likes: Ints
    comments: Ints
    views: Ints


class Posts:
    """All posts, oldest first."""

    def __init__(self, people: People, audiences: Audiences) -> None:
        self.size = people.size
        self._people = people
        self._audiences = audiences
        self._staff = people.teaching() or people.everybody

    @cached_property
    def seconds(self) -> Ints:
        """When each was written, in seconds after the network's beginning: the nearer to now, the more."""
        ages = self.size.generator("posts").random(self.size.posts) ** 1.5
        return np.sort(((1 - ages) * DAYS * 86_400).astype(np.int64))

    @cached_property
    def all(self) -> list[Post]:
        """The decisions."""
        return [self._decide(number) for number in range(self.size.posts)]

    @cached_property
    def audience(self) -> Ints:
        """Who sees each of them."""
        groups = [self._audiences.of_post(post.visibility, post.author) for post in self.all]
        return np.array(groups, dtype=np.int64)

    @cached_property
    def appeal(self) -> Floats:
        """How likely an action falls on each: Zipf over a random order, nothing for what nobody else sees."""
        ranks = self.size.generator("appeal").permutation(self.size.posts) + 1
        return np.where(self.audience == NOBODY, 0.0, 1.0 / ranks)

    @cached_property
    def quizzes(self) -> list[Post]:
        """The posts with a quiz."""
        return [post for post in self.all if post.kind == "QUIZ"]

    def written_at(self, number: int) -> datetime:
        """When a post was written."""
        return self.size.began + timedelta(seconds=int(self.seconds[number]))

    def questions(self, post: Post) -> list[dict[str, Any]]:
        """The questions of a quiz, as upstream keeps them."""
        rng = self.size.random("quiz", post.number)
        items = [item for topic in post.subject.topics for item in topic.quiz]
        rng.shuffle(items)
        chosen = [*post.topic.quiz, *(item for item in items if item not in post.topic.quiz)][
            : rng.randint(2, 5)
        ]
        return [self._question(rng, post, place, item) for place, item in enumerate(chosen)]

    def tables(self, counters: Counters) -> list[Table]:
        """Posts, then their quizzes."""
        return [
            Table("posts", _POSTS, lambda: self._post_rows(counters), self.size.posts),
            Table("quizzes", _QUIZZES, self._quiz_rows, len(self.quizzes)),
        ]

    def _decide(self, number: int) -> Post:
        rng = self.size.random("decide", number)
        kinds = list(_KINDS)
        kind = kinds[number] if number < len(kinds) else rng.choices(kinds, list(_KINDS.values()))[0]
        author = rng.choice(self._staff) if kind in _BY_STAFF else self._author(rng)
        subject = rng.choice(author.subjects if rng.random() < 0.8 else lexicon().subjects)
        return Post(number, kind, _visibility(rng, author), author, subject, rng.choice(subject.topics))

    def _author(self, rng: Random) -> Person:
        everybody = self._people.everybody
        person = everybody[int(rng.random() ** 2 * len(everybody))]
        return rng.choice(self._staff) if person.role == "PARENT" and rng.random() < 0.8 else person

    def _post_rows(self, counters: Counters) -> Rows:
        for post in self.all:
            yield self._post_row(post, counters, self.size.random("post", post.number))

    def _post_row(self, post: Post, counters: Counters, rng: Random) -> tuple[Any, ...]:
        size, number, when = self.size, post.number, self.written_at(post.number)
        text = Writer(rng, post.subject, post.topic).post(post.kind)
        likes, comments, views = (int(column[number]) for column in counters)
        edited = rng.random() < 0.03
        teacher_verified = post.kind in {"QUESTION", "RESOURCE"} and rng.random() < 0.1
        return (
            size.id("p", number), self._people.user_id(post.author.number),
            self._people.school_id(post.author.school), text.title, text.content, _media(rng, number), post.kind,
            post.visibility, likes, comments, likes // 10, views, edited, rng.random() < 0.004, when,
            when + timedelta(hours=edited), text.tags, _trend(size.as_of - when, likes, comments, views),
            teacher_verified, rng.choice((0, 10, 50)) if post.kind == "QUESTION" else 0,
            size.id("c", number % size.clubs) if post.kind == "CLUB_CREATED" else None,
            *self._repost(rng, post), *_dates(rng, post.kind, when),
        )  # fmt: skip

    def _repost(self, rng: Random, post: Post) -> tuple[str | None, str | None]:
        if post.kind != "ARTICLE" or post.number == 0 or rng.random() >= 0.04:
            return None, None
        original = rng.randrange(post.number)
        return self.size.id("p", original), Writer(rng, post.subject, post.topic).comment()

    def _quiz_rows(self) -> Rows:
        for post in self.quizzes:
            questions, when = self.questions(post), self.written_at(post.number)
            yield (
                self.size.id("q", post.number), self.size.id("p", post.number), Jsonb(questions),
                60 * len(questions), 60, 10 * len(questions), when, when,
            )  # fmt: skip

    def _question(self, rng: Random, post: Post, place: int, item: Any) -> dict[str, Any]:
        options = [item.answer, *item.wrong]
        rng.shuffle(options)
        return {
            "id": f"{self.size.id('q', post.number)}-{place}",
            "text": item.question,
            "type": "MULTIPLE_CHOICE",
            "options": options,
            "correctAnswer": str(options.index(item.answer)),
            "points": 10,
            "explanation": None,
        }


def _visibility(rng: Random, author: Person) -> str:
    visibility = rng.choices(list(_VISIBILITIES), list(_VISIBILITIES.values()))[0]
    if visibility == "CLASS" and not author.classes:
        visibility = "SCHOOL"
    return "PUBLIC" if visibility == "SCHOOL" and author.school is None else visibility


def _media(rng: Random, number: int) -> list[str] | None:
    if rng.random() < 0.8:
        return None
    return [f"https://media.school.example/{number}-{place}.jpg" for place in range(rng.randint(1, 3))]


def _trend(age: timedelta, likes: int, comments: int, views: int) -> float:
    strength = 3 * likes + 5 * comments + 0.5 * views
    return float(strength / (strength + 50) * np.exp(-0.029 * age.total_seconds() / 3_600))


def _dates(
    rng: Random, kind: str, when: datetime
) -> tuple[datetime | None, datetime | None, datetime | None]:
    later = when + timedelta(days=rng.randint(1, 14))
    return tuple(later if kind == dated else None for dated in ("POLL", "ASSIGNMENT", "EXAM"))  # type: ignore[return-value]
