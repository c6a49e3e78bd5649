"""Who may see what, for tests: people, objects with a word of their own, and the rule in plain Python.

The rule is written from the contract's table, over facts that are kept here: it shares nothing with the SQL under
test. An answer that has the word of an object its viewer may not see is a leak, wherever the word stands in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import psycopg

from tests.support.network import Network

#: In every object's text, so that one query asks for all of them.
COMMON: Final = "zebrafish"
#: In e-mail addresses and telephone numbers only.
SECRET: Final = "neverseen"

STAFF: Final = frozenset({"ADMIN", "PRINCIPAL", "VICE_PRINCIPAL", "TEACHER", "STAFF"})
HEADS: Final = frozenset({"ADMIN", "PRINCIPAL", "VICE_PRINCIPAL"})

NORTH: Final = "tn-north"
SOUTH: Final = "tn-south"


@dataclass(frozen=True)
class Person:
    """A user, as far as the rules ask."""

    id: str
    school: str | None = NORTH
    role: str = "STUDENT"
    in_class: bool = False
    active: bool = True
    suspended: bool = False
    social: bool = True
    profile: str = "PUBLIC"
    word: str = ""


@dataclass(frozen=True)
class Post:
    """A post, as far as the rules ask."""

    id: str
    author: str
    word: str
    visibility: str = "PUBLIC"
    school: str | None = NORTH
    deleted: bool = False


@dataclass(frozen=True)
class Club:
    """A club, as far as the rules ask."""

    id: str
    word: str
    mode: str = "PUBLIC"
    school: str | None = None
    active: bool = True
    members: tuple[str, ...] = ("tn-author",)


@dataclass(frozen=True)
class Course:
    """A course, as far as the rules ask."""

    id: str
    word: str
    instructor: str = "tn-author"
    published: bool = True


@dataclass
class World:
    """The facts, and what follows from them."""

    people: dict[str, Person]
    posts: list[Post]
    clubs: list[Club]
    courses: list[Course]
    blocks: set[tuple[str, str]] = field(default_factory=set)

    def apart(self, one: str, other: str) -> bool:
        """Blocked either way."""
        return (one, other) in self.blocks or (other, one) in self.blocks

    def sees_post(self, viewer: Person, post: Post) -> bool:
        """The contract's row "post"."""
        author = self.people[post.author]
        if post.deleted or self.apart(viewer.id, author.id):
            return False
        if viewer.id == author.id:
            return True
        if not author.active or author.suspended:
            return False
        return self._within(post.visibility, viewer, author, post.school)

    def sees_person(self, viewer: Person, person: Person) -> bool:
        """The contract's row "person"."""
        if viewer.id == person.id:
            return True
        there = person.active and not person.suspended and person.social
        apart = self.apart(viewer.id, person.id)
        return there and not apart and self._within(person.profile, viewer, person, person.school)

    def sees_club(self, viewer: Person, club: Club) -> bool:
        """The contract's row "club"."""
        open_to_them = club.mode != "INVITE_ONLY" and club.school in (None, viewer.school)
        return club.active and (viewer.id in club.members or open_to_them)

    def sees_course(self, viewer: Person, course: Course) -> bool:
        """The contract's row "course"."""
        return course.published or viewer.id == course.instructor

    def sees_analytics(self, viewer: Person, post: Post) -> bool:
        """The contract's row "post analytics"."""
        head = viewer.role in HEADS and viewer.school is not None and viewer.school == post.school
        return not post.deleted and (viewer.id == post.author or head or viewer.role == "SUPER_ADMIN")

    def words(self) -> dict[str, str]:
        """Every object's word, and what the object is."""
        return {
            **{post.word: f"post {post.id}" for post in self.posts},
            **{person.word: f"person {person.id}" for person in self.people.values() if person.word},
            **{club.word: f"club {club.id}" for club in self.clubs},
            **{course.word: f"course {course.id}" for course in self.courses},
        }

    def seen_words(self, viewer: Person) -> set[str]:
        """The words that may be in an answer to this viewer."""
        posts = {post.word for post in self.posts if self.sees_post(viewer, post)}
        people = {person.word for person in self.people.values() if self.sees_person(viewer, person)}
        authors = {self.people[post.author].word for post in self.posts if self.sees_post(viewer, post)}
        clubs = {club.word for club in self.clubs if self.sees_club(viewer, club)}
        courses = {course.word for course in self.courses if self.sees_course(viewer, course)}
        # A visible post or course shows who wrote it, whatever their profile says.
        teachers = {
            self.people[course.instructor].word for course in self.courses if self.sees_course(viewer, course)
        }
        return (posts | people | authors | clubs | courses | teachers) - {""}

    def _within(self, visibility: str, viewer: Person, owner: Person, school: str | None) -> bool:
        if visibility == "PUBLIC":
            return True
        if visibility == "SCHOOL":
            return school is not None and school == viewer.school
        return visibility == "CLASS" and viewer.in_class and owner.in_class


def final_world() -> World:
    """What stands in the truth when all is said."""
    people = [
        Person("tn-author", in_class=True, word="sklonvey"),
        Person("tn-classmate", in_class=True),
        Person("tn-schoolmate"),
        Person("tn-teacher", role="TEACHER", in_class=True),
        Person("tn-principal", role="PRINCIPAL"),
        Person("tn-parent", role="PARENT"),
        Person("tn-stranger", school=SOUTH),
        Person("tn-strange-teacher", school=SOUTH, role="TEACHER"),
        Person("tn-guest", school=None),
        Person("tn-super", school=None, role="SUPER_ADMIN"),
        Person("tn-blocker", in_class=True),
        Person("tn-blocked", in_class=True),
        Person("tn-inactive", active=False, in_class=True, word="nivrassk"),
        Person("tn-suspended", suspended=True, in_class=True, word="kestwyna"),
        Person("tn-asocial", social=False, word="pruxilby"),
        Person("tn-profile-school", profile="SCHOOL", word="caxpurny"),
        Person("tn-profile-class", profile="CLASS", in_class=True, word="dolvekist"),
        Person("tn-profile-private", profile="PRIVATE", in_class=True, word="brindlow"),
        Person("tn-moved", school=SOUTH, profile="SCHOOL", word="wobtanli"),
    ]
    author = "tn-author"
    posts = [
        Post("tn-public", author, "rastimok"),
        Post("tn-school", author, "uxifelge", "SCHOOL"),
        Post("tn-class", author, "xelmurph", "CLASS"),
        Post("tn-private", author, "quoddven", "PRIVATE"),
        Post("tn-gone", author, "yandrike", deleted=True),
        Post("tn-moved-post", author, "jombrick", "SCHOOL", school=SOUTH),
        Post("tn-of-moved", "tn-moved", "oplendur", "SCHOOL", school=NORTH),
        Post("tn-of-inactive", "tn-inactive", "hutchvarp"),
        Post("tn-of-suspended", "tn-suspended", "efrongal"),
        Post("tn-homeless", author, "myctolda", "SCHOOL", school=None),
    ]
    clubs = [
        Club("tn-club-open", "lurphane"),
        Club("tn-club-school", "fyzzanto", "APPROVAL_REQUIRED", NORTH),
        Club("tn-club-invite", "gromleby", "INVITE_ONLY", NORTH, members=(author, "tn-stranger")),
        Club("tn-club-closed", "ivelskor", active=False, members=(author, "tn-schoolmate")),
    ]
    courses = [Course("tn-course", "tumbrazi"), Course("tn-draft", "vyncrosh", published=False)]
    blocks = {("tn-blocker", author), (author, "tn-blocked")}
    return World({person.id: person for person in people}, posts, clubs, courses, blocks)


def open_world(final: World) -> World:
    """The same objects a moment before: all public, alive, of the northern school, nobody blocked."""
    return World(
        {
            key: replace(person, active=True, suspended=False, social=True, profile="PUBLIC")
            for key, person in final.people.items()
        },
        [replace(post, visibility="PUBLIC", school=NORTH, deleted=False) for post in final.posts],
        [replace(club, mode="PUBLIC", school=None, active=True) for club in final.clubs],
        [replace(course, published=True) for course in final.courses],
    )


def write(world: World, conn: psycopg.Connection) -> None:
    """Insert everything, in one transaction."""
    network = Network(conn)
    with conn.transaction():
        for school in (NORTH, SOUTH):
            network.school(school)
        for person in world.people.values():
            _write_person(network, person)
        students = [p.id for p in world.people.values() if p.in_class and p.role == "STUDENT"]
        key = network.school_class(NORTH, *students)
        network.class_teacher(key, NORTH, "tn-teacher")
        for post in world.posts:
            network.post(
                post.author,
                f"{COMMON} {post.word}",
                post.school,
                id=post.id,
                title=f"{COMMON.title()} {post.word}",
                topicTags=[COMMON, post.word],
                visibility=post.visibility,
            )
        for club in world.clubs:
            network.club("tn-author", f"{COMMON} {club.word}", club.school, id=club.id, mode=club.mode)
            for member in club.members:
                network.member(club.id, member)
        for course in world.courses:
            network.course(course.instructor, f"{COMMON} {course.word}", id=course.id)


def change_to(world: World, conn: psycopg.Connection) -> None:
    """Make the truth what the world says; each change in a transaction of its own."""
    network = Network(conn)
    for person in world.people.values():
        network.change(
            "users",
            person.id,
            schoolId=person.school,
            isActive=person.active,
            accountSuspendedAt="2026-01-01" if person.suspended else None,
            socialFeaturesEnabled=person.social,
            profileVisibility=person.profile,
        )
    for post in world.posts:
        if post.deleted:
            network.delete("posts", post.id)
        else:
            network.change("posts", post.id, visibility=post.visibility, schoolId=post.school)
    for club in world.clubs:
        network.change("study_clubs", club.id, mode=club.mode, schoolId=club.school, isActive=club.active)
    for course in world.courses:
        network.change("courses", course.id, isPublished=course.published)
    for blocker, blocked in sorted(world.blocks):
        network.block(blocker, blocked)


def _write_person(network: Network, person: Person) -> None:
    network.user(
        person.id,
        NORTH if person.id == "tn-moved" else person.school,
        role=person.role,
        profileVisibility=person.profile,
        firstName=COMMON.title() if person.word else "Somebody",
        lastName=person.word or "Else",
        email=f"{SECRET}-{person.id}@mail.example",
        phone=f"{SECRET}{person.id}",
    )
