"""Rows of schools, classes, students, teachers, users and memberships; who they are is said in `people.py`."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from psycopg.types.json import Jsonb

from producers.synthetic.lexicon import lexicon
from producers.synthetic.people import People, Person
from producers.synthetic.prose import Writer
from producers.synthetic.size import Size
from producers.synthetic.table import Rows, Table

_ACADEMIC_YEAR: Final = "2026-2027"
_VISIBILITIES: Final = ("PUBLIC", "SCHOOL", "CLASS", "PRIVATE")
_TIERS: Final = ("STANDARD", "FREE_TRIAL_1M", "PREMIUM")

_SCHOOLS: Final = (
    "id", "name", "slug", "email", "address", "subscriptionTier", "isTrial", "setupCompleted", "createdAt", "updatedAt",
)  # fmt: skip
_CLASSES: Final = ("id", "schoolId", "name", "grade", "section", "academicYearId", "createdAt", "updatedAt")
_STUDENTS: Final = (
    "id", "schoolId", "classId", "studentId", "firstName", "lastName", "englishFirstName", "englishLastName",
    "createdAt", "updatedAt",
)  # fmt: skip
_TEACHERS: Final = (
    "id", "schoolId", "homeroomClassId", "firstName", "lastName", "englishFirstName", "englishLastName", "createdAt",
    "updatedAt",
)  # fmt: skip
_STUDENT_CLASSES: Final = ("id", "studentId", "classId", "academicYearId", "status")
_TEACHER_CLASSES: Final = ("id", "teacherId", "classId")
_USERS: Final = (
    "id", "schoolId", "email", "username", "password", "firstName", "lastName", "englishFirstName", "englishLastName",
    "createdAt", "updatedAt", "isActive", "accountSuspendedAt", "phone", "studentId", "teacherId", "role",
    "isSuperAdmin", "bio", "headline", "interests", "skills", "careerGoals", "location", "languages",
    "professionalTitle", "isVerified", "profileVisibility", "accountType", "privacySettings", "socialFeaturesEnabled",
)  # fmt: skip
_MEMBERSHIPS: Final = (
    "id", "userId", "schoolId", "studentId", "teacherId", "role", "linkedAt", "createdAt", "updatedAt",
)  # fmt: skip


class PeopleRows:
    """The tables of one network's people, in the order of their foreign keys."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._size: Size = people.size
        self._joined = people.size.began - timedelta(days=200)

    def tables(self) -> list[Table]:
        """Eight tables."""
        people, size = self._people, self._size
        students, teachers = len(people.with_role("STUDENT")), people.teaching()
        taught = sum(len(person.classes) - 1 for person in teachers)
        return [
            Table("schools", _SCHOOLS, self._schools, size.schools),
            Table("classes", _CLASSES, self._classes, len(people.class_schools)),
            Table("students", _STUDENTS, self._students, students),
            Table("teachers", _TEACHERS, self._teachers, len(teachers)),
            Table("student_classes", _STUDENT_CLASSES, self._student_classes, students),
            Table("teacher_classes", _TEACHER_CLASSES, self._teacher_classes, taught),
            Table("users", _USERS, self._users, size.users),
            Table("school_memberships", _MEMBERSHIPS, self._memberships, len(self._members())),
        ]

    def _schools(self) -> Rows:
        known = lexicon().people["schools"]
        for number in range(self._size.schools):
            khmer, english, city = known[number % len(known)]
            suffix = "" if number < len(known) else f" {number // len(known) + 1}"
            name = f"{english}{suffix} | {khmer}{suffix}" if number % 2 else f"{english}{suffix}"
            school, tier = self._size.id("s", number), _TIERS[number % 3]
            slug = f"{english.lower().replace(' ', '-')}-{school}"
            times = (self._joined, self._joined)
            yield (school, name, slug, f"office@{slug}.example", city, tier, tier == _TIERS[1], True, *times)

    def _classes(self) -> Rows:
        places: dict[int, int] = {}
        for number, school in enumerate(self._people.class_schools):
            place = places.get(school, 0)
            places[school] = place + 1
            grade, section = str(10 - place % 4), chr(ord("A") + place // 4 % 26)
            yield (
                self._size.id("k", number), self._size.id("s", school), f"Grade {grade}{section}", grade, section,
                _ACADEMIC_YEAR, self._joined, self._joined,
            )  # fmt: skip

    def _students(self) -> Rows:
        people = self._people
        for person in people.with_role("STUDENT"):
            yield (
                people.student_id(person), people.school_id(person.school), self._size.id("k", person.classes[0]),
                f"S{person.number:06d}", *people.names(person.number), self._joined, self._joined,
            )  # fmt: skip

    def _teachers(self) -> Rows:
        people = self._people
        for person in people.teaching():
            yield (
                people.teacher_id(person), people.school_id(person.school), self._size.id("k", person.classes[0]),
                *people.names(person.number), self._joined, self._joined,
            )  # fmt: skip

    def _student_classes(self) -> Rows:
        for person in self._people.with_role("STUDENT"):
            member, of = self._people.student_id(person), self._size.id("k", person.classes[0])
            yield self._size.id("e", person.number), member, of, _ACADEMIC_YEAR, "ACTIVE"

    def _teacher_classes(self) -> Rows:
        pairs = [(person, taught) for person in self._people.teaching() for taught in person.classes[1:]]
        for number, (person, taught) in enumerate(pairs):
            yield self._size.id("j", number), self._people.teacher_id(person), self._size.id("k", taught)

    def _memberships(self) -> Rows:
        people = self._people
        for person in self._members():
            yield (
                self._size.id("r", person.number), people.user_id(person.number), people.school_id(person.school),
                people.student_id(person), people.teacher_id(person), person.role, self._joined, self._joined,
                self._joined,
            )  # fmt: skip

    def _members(self) -> list[Person]:
        return [person for person in self._people.everybody if person.school is not None]

    def _users(self) -> Rows:
        for person in self._people.everybody:
            rng = self._size.random("user", person.number)
            yield (*self._account(person, rng), *self._profile(person, rng))

    def _account(self, person: Person, rng: Random) -> tuple[Any, ...]:
        size, people, number = self._size, self._people, person.number
        names = people.names(number)
        handle = f"{names[2]}.{names[3]}.{people.user_id(number)[1:]}".lower()
        out_of_use = number >= size.core and rng.random() < 0.03
        suspended = (
            size.as_of - timedelta(days=rng.randint(1, 60)) if out_of_use and rng.random() < 0.3 else None
        )
        return (
            people.user_id(number), people.school_id(person.school), f"{handle}@school.example", handle, "!", *names,
            self._joined, self._joined, not out_of_use or suspended is not None, suspended,
            f"+855{size.namespace % 10**8:08d}{number:06d}", people.student_id(person), people.teacher_id(person),
            person.role, person.role == "SUPER_ADMIN",
        )  # fmt: skip

    def _profile(self, person: Person, rng: Random) -> tuple[Any, ...]:
        words, favourite = lexicon().people, person.subjects[0]
        writer = Writer(rng, favourite, rng.choice(favourite.topics))
        interests = [rng.choice((subject.en, *subject.tags)) for subject in person.subjects]
        core = person.number < self._size.core
        city = words["schools"][(person.school or 0) % len(words["schools"])][2]
        return (
            writer.say(rng.choice(words["bios"])) if rng.random() < 0.5 else None,
            writer.say(rng.choice(words["headlines"])) if rng.random() < 0.6 else None,
            interests if rng.random() < 0.8 else None,
            rng.sample(words["skills"], rng.randint(1, 3)) if rng.random() < 0.5 else None,
            rng.choice(words["career_goals"]) if rng.random() < 0.3 else None,
            city if rng.random() < 0.5 else None,
            (None, ["km"], ["km", "en"])[rng.randrange(3)],
            f"{favourite.en} teacher" if person.role == "TEACHER" else None,
            person.role not in {"STUDENT", "PARENT"} and rng.random() < 0.5,
            rng.choices(_VISIBILITIES, (35, 65, 0, 0) if core else (30, 52, 9, 9))[0],
            "SOCIAL_ONLY" if person.school is None else "HYBRID",
            self._privacy(rng),
            core or rng.random() >= 0.01,
        )  # fmt: skip

    def _privacy(self, rng: Random) -> Jsonb | None:
        if rng.random() < 0.3:
            return None
        seen: datetime = self._size.as_of - timedelta(minutes=rng.randint(0, 20_000))
        presence = {"showOnlineStatus": rng.random() < 0.9, "lastActiveAt": f"{seen.isoformat()}.000Z"}
        return Jsonb({"mobileApp": presence})
