"""Clubs with members and materials, courses with enrolments: bilingual, of every mode, level and state."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any, Final, NamedTuple

from psycopg.types.json import Jsonb

from producers.synthetic.audience import EVERYBODY, Audiences
from producers.synthetic.lexicon import lexicon
from producers.synthetic.people import People, Person
from producers.synthetic.prose import Writer
from producers.synthetic.size import DAYS
from producers.synthetic.table import Rows, Table

_MODES: Final = ("PUBLIC", "PUBLIC", "APPROVAL_REQUIRED", "INVITE_ONLY", "PUBLIC", "APPROVAL_REQUIRED")
_CLUB_TYPES: Final = ("CASUAL_STUDY_GROUP", "STRUCTURED_CLASS", "EXAM_PREP", "PROJECT_GROUP")
_LEVELS: Final = ("BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS")
_MATERIALS_PER_CLUB: Final = 3
_LARGEST_CLUB: Final = 200

_CLUBS: Final = (
    "id", "name", "description", "clubType", "category", "creatorId", "schoolId", "maxMembers", "isActive", "createdAt",
    "updatedAt", "language", "mode", "subject", "tags",
)  # fmt: skip
_MEMBERS: Final = (
    "id", "clubId", "userId", "role", "isActive", "withdrawalReason", "enrollmentDate", "joinedAt",
)  # fmt: skip
_MATERIALS: Final = (
    "id", "clubId", "title", "description", "type", "category", "uploadedById", "uploadedAt", "updatedAt",
)  # fmt: skip
_COURSES: Final = (
    "id", "title", "description", "titleTranslations", "descriptionTranslations", "sourceLocale", "supportedLocales",
    "category", "level", "status", "duration", "lessonsCount", "isFree", "price", "isFeatured", "isPublished",
    "instructorId", "tags", "rating", "reviewsCount", "enrolledCount", "createdAt", "updatedAt",
)  # fmt: skip
_ENROLMENTS: Final = ("id", "userId", "courseId", "progress", "completedAt", "enrolledAt", "lastAccessedAt")


class Membership(NamedTuple):
    """Somebody in a club or a course."""

    of: int
    user: int


class Learning:
    """All clubs and courses of one network."""

    def __init__(self, people: People, audiences: Audiences) -> None:
        self.size = people.size
        self._people = people
        self._audiences = audiences
        self._teachers = people.with_role("TEACHER") or people.everybody

    @cached_property
    def members(self) -> list[Membership]:
        """Members of clubs; the first of each is its owner."""
        return [
            Membership(club, user)
            for club in range(self.size.clubs)
            for user in self._some(club, "members", self._club_school(club), self._owners[club].number)
        ]

    @cached_property
    def enrolments(self) -> list[Membership]:
        """Who learns what."""
        return [
            Membership(course, user)
            for course in range(self.size.courses)
            for user in self._some(course, "enrolments", None, self._instructor(course).number)[1:]
        ]

    def club_tables(self) -> list[Table]:
        """Clubs: posts may refer to them, so they come first."""
        return [Table("study_clubs", _CLUBS, self._club_rows, self.size.clubs)]

    def tables(self) -> list[Table]:
        """Everything else."""
        materials = _MATERIALS_PER_CLUB * self.size.clubs
        return [
            Table("club_members", _MEMBERS, self._member_rows, len(self.members)),
            Table("club_materials", _MATERIALS, self._material_rows, materials),
            Table("courses", _COURSES, self._course_rows, self.size.courses),
            Table("enrollments", _ENROLMENTS, self._enrolment_rows, len(self.enrolments)),
        ]

    def _club_school(self, club: int) -> int | None:
        place = club % (self.size.schools + 1)
        return None if place == self.size.schools else place

    @cached_property
    def _owners(self) -> list[Person]:
        schools = [*range(self.size.schools), None]
        candidates = {
            school: self._people.with_role("TEACHER", "STUDENT", school=school) for school in schools
        }
        return [
            self.size.random("club", club).choice(candidates[self._club_school(club)])
            for club in range(self.size.clubs)
        ]

    def _instructor(self, course: int) -> Person:
        return self._teachers[course % len(self._teachers)]

    def _some(self, number: int, area: str, school: int | None, first: int) -> list[int]:
        """`first` and others of a school (or of all), a few times many and mostly few."""
        rng = self.size.random(area, number)
        members = self._audiences.members(EVERYBODY if school is None else school)
        wanted = min(len(members) - 1, 2 + int(min(len(members) * 0.4, _LARGEST_CLUB) * rng.random() ** 3))
        chosen = rng.sample(range(len(members)), wanted)
        others = [int(members[place]) for place in chosen]
        return [first, *(user for user in others if user != first)]

    def _club_rows(self) -> Rows:
        words = lexicon().learning
        for club in range(self.size.clubs):
            rng, owner = self.size.random("club-row", club), self._owners[club]
            subject = owner.subjects[0]
            writer, language = self._writer(rng, owner)
            when = self._early(rng)
            yield (
                self.size.id("c", club), writer.say(rng.choice(words[f"clubs_{language}"])),
                writer.say(rng.choice(words[f"club_descriptions_{language}"])), _CLUB_TYPES[club % 4],
                subject.category, self._people.user_id(owner.number),
                self._people.school_id(self._club_school(club)), rng.choice((None, None, 500)), club % 17 != 16, when,
                when, language, _MODES[club % len(_MODES)], subject.en, writer.tags(),
            )  # fmt: skip

    def _member_rows(self) -> Rows:
        last = -1
        for number, (club, user) in enumerate(self.members):
            rng = self.size.random("member", number)
            owns, last = club != last, club
            pending = not owns and rng.random() < 0.06
            role = "OWNER" if owns else rng.choices(("STUDENT", "INSTRUCTOR", "OBSERVER"), (90, 5, 5))[0]
            when = self._early(rng)
            yield (
                self.size.id("g", number), self.size.id("c", club), self._people.user_id(user), role, not pending,
                "PENDING" if pending else None, when, when,
            )  # fmt: skip

    def _material_rows(self) -> Rows:
        words = lexicon().learning
        for number in range(_MATERIALS_PER_CLUB * self.size.clubs):
            club = number // _MATERIALS_PER_CLUB
            rng, owner = self.size.random("material", number), self._owners[club]
            writer, language = self._writer(rng, owner)
            when = self._early(rng)
            yield (
                self.size.id("h", number), self.size.id("c", club),
                writer.say(rng.choice(words[f"materials_{language}"])), writer.comment(),
                rng.choice(words["material_types"]), owner.subjects[0].category, self._people.user_id(owner.number),
                when, when,
            )  # fmt: skip

    def _course_rows(self) -> Rows:
        enrolled = [0] * self.size.courses
        for course, _ in self.enrolments:
            enrolled[course] += 1
        for course in range(self.size.courses):
            yield self._course_row(course, enrolled[course])

    def _course_row(self, course: int, enrolled: int) -> tuple[Any, ...]:
        rng, instructor, words = (
            self.size.random("course", course),
            self._instructor(course),
            lexicon().learning,
        )
        subject = rng.choice(instructor.subjects)
        topic = rng.choice(subject.topics)
        writer = Writer(rng, subject, topic)
        title = {
            key: writer.say(rng.choice(words[f"courses_{key}"]), khmer=key == "km") for key in ("en", "km")
        }
        about = {
            "en": " ".join(writer.say(text, khmer=False) for text in topic.sentences_en[:2]),
            "km": " ".join(writer.say(text, khmer=True) + "។" for text in topic.sentences_km[:2]),
        }
        source = "km" if course % 3 == 2 else "en"
        both, published, free = rng.random() < 0.7, course % 7 != 6, rng.random() < 0.8
        when = self._early(rng)
        return (
            self.size.id("o", course), title[source], about[source], Jsonb(title) if both else None,
            Jsonb(about) if both else None, source, ["en", "km"] if both else [source], subject.category,
            _LEVELS[course % 4], "PUBLISHED" if published else "DRAFT", rng.randint(30, 600), rng.randint(3, 30), free,
            0.0 if free else 9.9, course % 11 == 0, published, self._people.user_id(instructor.number), writer.tags(),
            round(rng.uniform(3, 5), 1), rng.randint(0, 40), enrolled, when, when,
        )  # fmt: skip

    def _enrolment_rows(self) -> Rows:
        for number, (course, user) in enumerate(self.enrolments):
            rng = self.size.random("enrolment", number)
            done, when = rng.random() < 0.2, self._early(rng)
            later = min(when + timedelta(days=rng.randint(0, 30)), self.size.as_of)
            yield (
                self.size.id("w", number), self._people.user_id(user), self.size.id("o", course),
                100.0 if done else float(rng.randint(0, 99)), later if done else None, when, later,
            )  # fmt: skip

    def _writer(self, rng: Random, owner: Person) -> tuple[Writer, str]:
        subject = owner.subjects[0]
        return Writer(rng, subject, rng.choice(subject.topics)), rng.choice(("en", "km"))

    def _early(self, rng: Random) -> datetime:
        return self.size.began + timedelta(seconds=rng.randrange(DAYS * 86_400))
