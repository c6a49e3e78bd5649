"""Nobody sees what they may not: every viewer, every read of the API, every part of an answer, every source.

The views are read three times: while they stand where everything was public (their consumers are stopped, the truth has
gone on), when they have caught up, and without them. An answer is searched as text for the words of objects that
the viewer may not see, so that a snippet, a suggestion or a facet counts as much as an item. The rule that decides is
`tests/support/tenants.py`, in plain Python.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

import httpx
import psutil
import pytest

from app.api import create_app
from runtime.settings import Settings
from tests.acceptance.conftest import Stack
from tests.support import tenants
from tests.support.tenants import COMMON, NORTH, SECRET, SOUTH

WORLD: Final = tenants.final_world()
WORDS: Final = WORLD.words()
INSIDE: Final = [
    person for person in WORLD.people.values() if person.active and not person.suspended and not person.word
] + [WORLD.people["tn-author"], WORLD.people["tn-moved"], WORLD.people["tn-profile-private"]]
OUTSIDE: Final = ["tn-inactive", "tn-suspended", None]
STOPPED: Final = ("search", "embeddings", "feeds", "analytics", "worker")
#: Reads that show nothing of these objects; who may read them is said where they are tested.
ELSEWHERE: Final = {
    "/healthz": "no data",
    "/readyz": "no data",
    "/live/{code}/lobby": "a game's players: tests/integration/live/test_quiz.py",
    "/live/{code}/current": "likewise",
    "/live/{code}/leaderboard": "likewise",
    "/live/{code}/results": "likewise",
    "/search/key": "off unless set; what a key opens: tests/integration/search/",
    "/events/stream": "has no end: tests/integration/live/test_happenings.py",
}
POST_IDS: Final = [post.id for post in WORLD.posts]
SCHOOLS: Final = [NORTH, SOUTH]
Read = tuple[str, dict[str, Any]]
READS: Final[dict[str, list[Read]]] = {
    "/posts": [
        ("/posts", {"limit": 50}),
        ("/posts", {"search": COMMON, "limit": 50}),
        *[("/posts", {"schoolId": school, "limit": 50}) for school in SCHOOLS],
    ],
    "/posts/{post_id}": [(f"/posts/{key}", {}) for key in POST_IDS],
    "/posts/{post_id}/similar": [(f"/posts/{key}/similar", {"limit": 20}) for key in POST_IDS],
    "/posts/{post_id}/analytics": [(f"/posts/{key}/analytics", {}) for key in POST_IDS],
    "/search": [("/search", {"q": COMMON, "limit": 20}), *[("/search", {"q": word}) for word in WORDS]],
    "/search/suggest": [
        ("/search/suggest", {"q": COMMON[:5], "limit": 20}),
        *[("/search/suggest", {"q": word}) for word in WORDS],
    ],
    "/feed": [("/feed", {"mode": mode, "limit": 50}) for mode in ("FOR_YOU", "FOLLOWING", "RECENT")],
    "/users/suggestions": [("/users/suggestions", {"limit": 50})],
    "/recommendations/courses": [("/recommendations/courses", {"limit": 50})],
    "/recommendations/quizzes": [("/recommendations/quizzes", {"limit": 50})],
    "/schools/{school_id}/online-count": [(f"/schools/{school}/online-count", {}) for school in SCHOOLS],
    "/schools/{school_id}/activity": [(f"/schools/{school}/activity", {}) for school in SCHOOLS],
    "/schools/{school_id}/activity/heatmap": [(f"/schools/{one}/activity/heatmap", {}) for one in SCHOOLS],
    "/analytics/insights": [("/analytics/insights", {})],
    "/analytics/trending": [("/analytics/trending", {"limit": 50})],
}
Ask = Callable[..., httpx.Response]


def test_every_read_is_asked() -> None:
    """A new read must be put into the matrix."""
    paths = create_app(Settings(_env_file=None, database_url="postgresql://nowhere")).openapi()["paths"]
    reads = {path for path, operations in paths.items() if "get" in operations}
    assert reads == set(READS) | set(ELSEWHERE)


@pytest.fixture(scope="module")
def before(stack: Stack) -> None:
    """All views hold the open world."""
    with stack.connect() as conn:
        tenants.write(tenants.open_world(WORLD), conn)
    _caught_up(stack)
    guest = WORLD.people["tn-guest"]
    with _client(stack, guest.id) as client:
        found = client.get("/search", params={"q": COMMON, "limit": 50}).text
        assert {word for word in WORDS if word in found} == set(WORDS)


@pytest.fixture(scope="module", params=["stale", "view", "fallback"])
def source(request: pytest.FixtureRequest, stack: Stack, before: None, lonely: str) -> Iterator[str]:
    """In this order: the truth is changed once, behind the back of the views."""
    stopped = ExitStack()
    if request.param == "stale":
        for part in STOPPED:
            process = psutil.Process(_pid(stack, part))
            for one in [process, *process.children(recursive=True)]:
                one.send_signal(signal.SIGSTOP)
                stopped.callback(partial(one.send_signal, signal.SIGCONT))
        with stack.connect() as conn:
            tenants.change_to(WORLD, conn)
    elif request.param == "view":
        _caught_up(stack)
    with stopped:
        yield request.param


@pytest.fixture(params=[person.id for person in INSIDE])
def viewer(request: pytest.FixtureRequest) -> tenants.Person:
    """Each kind of person with a good token."""
    return WORLD.people[request.param]


@pytest.fixture
def ask(stack: Stack, source: str, lonely: str, viewer: tenants.Person) -> Iterator[Ask]:
    """The API, as this viewer, answering from this source."""
    with _client(stack, viewer.id) as client:
        if source == "fallback":
            client.base_url = httpx.URL(lonely)
        yield lambda path, **params: client.get(path, params=params)


def test_no_part_of_any_answer_shows_what_the_viewer_may_not_see(viewer: tenants.Person, ask: Ask) -> None:
    hidden = set(WORDS) - WORLD.seen_words(viewer)
    reads = [
        (path, params)
        for path, params in (read for reads in READS.values() for read in reads)
        if params.get("q") not in WORDS or params["q"] in hidden
    ]
    with ThreadPoolExecutor(4) as together:
        answers = list(together.map(lambda read: ask(read[0], **read[1]), reads))
    for (path, params), answer in zip(reads, answers, strict=True):
        assert answer.status_code in (200, 403, 404), f"{path} {params}: {answer.text}"
        leaked = {WORDS[word] for word in hidden if word in answer.text}
        assert not leaked, f"{path} {params} shows {viewer.id}: {leaked}"
        assert SECRET not in answer.text, f"{path} {params}"


def test_one_post_and_its_analytics(viewer: tenants.Person, ask: Ask) -> None:
    for post in WORLD.posts:
        expected = 200 if WORLD.sees_post(viewer, post) else 404
        assert ask(f"/posts/{post.id}").status_code == expected, post.id
        status = ask(f"/posts/{post.id}/analytics").status_code
        assert (status == 200) == WORLD.sees_analytics(viewer, post), (post.id, status)


def test_schools_tell_their_own(viewer: tenants.Person, ask: Ask) -> None:
    for school in SCHOOLS:
        member = viewer.school == school
        assert ask(f"/schools/{school}/online-count").status_code == (200 if member else 403)
        staff = (member and viewer.role in tenants.STAFF) or viewer.role == "SUPER_ADMIN"
        for path in (f"/schools/{school}/activity", f"/schools/{school}/activity/heatmap"):
            assert ask(path).status_code == (200 if staff else 403)


def test_search_finds_all_that_the_viewer_may_see(source: str, viewer: tenants.Person, ask: Ask) -> None:
    if source == "stale":
        return  # a stale view may be late
    posts = {post.id for post in WORLD.posts if WORLD.sees_post(viewer, post)}
    assert {card["id"] for card in ask("/posts", search=COMMON, limit=50).json()["data"]} == posts
    found = ask("/search", q=COMMON, limit=50).json()["data"]
    assert {card["id"] for card in found["posts"]} == posts
    clubs = {club.id for club in WORLD.clubs if WORLD.sees_club(viewer, club)}
    assert {card["id"] for card in found["clubs"]} == clubs
    courses = {course.id for course in WORLD.courses if WORLD.sees_course(viewer, course)}
    assert {card["id"] for card in found["courses"]} == courses
    named = [person for person in WORLD.people.values() if person.word]
    people = {person.id for person in named if WORLD.sees_person(viewer, person)}
    private = {person.id for person in named if person.profile == "PRIVATE" or not person.social}
    # One who hides from everybody is found by PostgreSQL alone, and by nobody but themself.
    assert {card["id"] for card in found["users"]} | (private & people) == people


def test_students_are_suggested_in_their_own_school_alone(viewer: tenants.Person, ask: Ask) -> None:
    for card in ask("/users/suggestions", limit=50).json()["data"]:
        person = WORLD.people.get(card["id"])
        if person is not None and person.role == "STUDENT":
            assert person.school is not None
            assert person.school == viewer.school


def test_the_views_did_answer(source: str, viewer: tenants.Person, ask: Ask) -> None:
    """Or the matrix would compare PostgreSQL with itself."""
    assert ask("/search", q=COMMON).headers["Stunity-Source"] == (
        "postgres" if source == "fallback" else "typesense"
    )


@pytest.mark.parametrize("outsider", OUTSIDE)
def test_who_is_not_in_gets_nothing(stack: Stack, source: str, lonely: str, outsider: str | None) -> None:
    with _client(stack, outsider) as client:
        if source == "fallback":
            client.base_url = httpx.URL(lonely)
        for path, params in (reads[0] for reads in READS.values()):
            answer = client.get(path, params=params)
            assert answer.status_code == 401
            assert not [word for word in WORDS if word in answer.text]


def _client(stack: Stack, viewer: str | None) -> httpx.Client:
    return stack.person(viewer) if viewer else httpx.Client(base_url=stack.environment["API_URL"], timeout=15)


def _pid(stack: Stack, name: str) -> int:
    return int(next(part["pid"] for part in stack.status()["parts"] if part["name"] == name))


def _caught_up(stack: Stack) -> None:
    """Until every view has applied all that is committed now, and says so itself: PostgreSQL always has everything."""
    with stack.connect() as conn:
        [(position,)] = conn.execute("SELECT outbox.position()").fetchall()
    headers = {"Stunity-After": position, "Stunity-Wait-Ms": "5000"}
    deadline = time.monotonic() + 40
    with _client(stack, "tn-super") as client:
        for path in (
            "/search?q=zebrafish",
            "/feed",
            "/posts/tn-public/similar",
            "/posts/tn-public/analytics",
        ):
            while True:
                said = client.get(path, headers=headers).headers
                if said.get("Stunity-Applied") == "true" and said["Stunity-Source"] != "postgres":
                    break
                assert time.monotonic() < deadline, f"{path} has not caught up: {said}"
