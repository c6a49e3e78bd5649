"""Nobody finds what they may not see: in the index, in PostgreSQL alone, and when the index is behind the truth."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.search import fallback
from consumers.search.schema import KINDS, token
from consumers.search.searches import open_searches
from consumers.search.store import Typesense
from consumers.search.visible import filter_by
from runtime.access import Scope, Viewer
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.search.conftest import Api, Index, event, everything
from tests.support.network import Network

pytestmark = pytest.mark.usefixtures("both_ways")

VIEWERS = ("author", "classmate", "schoolmate", "stranger", "guest", "blocker", "blocked")
POST_EXPECTED = {
    "PUBLIC": {"author", "classmate", "schoolmate", "stranger", "guest"},
    "SCHOOL": {"author", "classmate", "schoolmate"},
    "CLASS": {"author", "classmate"},
    "PRIVATE": {"author"},
}
#: A private person is not in the index, not even for themself; PostgreSQL alone finds them.
PERSON_EXPECTED = {**POST_EXPECTED, "PRIVATE": {"author"}}
#: Who asks below hydration: one who may see a post of the author's school, and three who may not.
SCOPES = (
    Scope(Viewer("schoolmate", "STUDENT", "north")),
    Scope(Viewer("stranger", "STUDENT", "south")),
    Scope(Viewer("blocker", "STUDENT", "north"), blocked=("author",)),
    Scope(Viewer("x", "STUDENT", "north`] || audience:=[`public")),
)


@pytest.fixture
def people(network: Network) -> Network:
    """Everybody that an author can meet."""
    for key in ("author", "classmate", "schoolmate", "blocker", "blocked"):
        network.user(key, "north", firstName="Findme", profileVisibility="PUBLIC")
    network.user("stranger", "south")
    network.school_class("north", "author", "classmate")
    network.block("blocker", "author")
    network.block("author", "blocked")
    return network


async def test_posts_by_visibility(http: Api, bare: Api, people: Network, index: Index) -> None:
    ids = {people.post("author", "zebra", "north", visibility=one): one for one in POST_EXPECTED}
    await index.fill()
    for api in (http, bare):
        for viewer in VIEWERS:
            expected = {key for key, one in ids.items() if viewer in POST_EXPECTED[one]}
            assert set(await api.posts(viewer, "zebra")) == expected, viewer
            assert set((await api.search(viewer, "zebra"))["posts"]) == expected, viewer
            recent = (await api.get(viewer, "/posts")).json()["data"]
            assert {card["id"] for card in recent} == expected, viewer
            for key in ids:
                assert (await api.get(viewer, f"/posts/{key}")).status_code == (
                    200 if key in expected else 404
                )


async def test_people_by_profile(http: Api, bare: Api, people: Network, index: Index) -> None:
    for visibility, expected in PERSON_EXPECTED.items():
        people.change("users", "author", profileVisibility=visibility, lastName="Quokka")
        await index.apply(event("user.updated", "author"))
        for viewer in VIEWERS:
            found = ["author"] if viewer in expected else []
            assert (await bare.search(viewer, "quokka"))["users"] == found, (viewer, visibility)
            if visibility != "PRIVATE":
                assert (await http.search(viewer, "quokka"))["users"] == found, (viewer, visibility)
    assert (await http.search("author", "quokka"))["users"] == []


async def test_clubs_by_mode_and_membership(http: Api, bare: Api, people: Network, index: Index) -> None:
    invited = people.club("author", "zebra invited", "north", mode="INVITE_ONLY")
    school = people.club("author", "zebra school", "north", mode="APPROVAL_REQUIRED")
    everybody = people.club("author", "zebra everybody", None)
    gone = people.club("author", "zebra gone", None, isActive=False)
    for key in (invited, gone):
        people.member(key, "stranger")
    people.member(invited, "schoolmate", active=False)
    await index.fill()
    for api in (http, bare):
        assert set((await api.search("schoolmate", "zebra"))["clubs"]) == {school, everybody}
        assert set((await api.search("stranger", "zebra"))["clubs"]) == {invited, everybody}
        assert set((await api.search("guest", "zebra"))["clubs"]) == {everybody}


async def test_courses_by_publication(http: Api, bare: Api, people: Network, index: Index) -> None:
    public, draft = (people.course("author", "zebra", isPublished=flag) for flag in (True, False))
    await index.fill()
    for api in (http, bare):
        assert set((await api.search("stranger", "zebra"))["courses"]) == {public}
        assert set((await api.search("author", "zebra"))["courses"]) == {public, draft}


STALE: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "visibility": ("posts", None, {"visibility": "PRIVATE"}),
    "moved": ("posts", None, {"visibility": "SCHOOL", "schoolId": "south"}),
    "deactivated": ("users", "author", {"isActive": False}),
    "suspended": ("users", "author", {"accountSuspendedAt": "2026-01-01"}),
}


@pytest.mark.parametrize("change", [*STALE, "deleted", "blocked"])
async def test_a_stale_index_shows_nothing_that_has_gone(
    http: Api, people: Network, index: Index, change: str
) -> None:
    post = people.post("author", "zebra", "north", title="Zebra stripes", topicTags=["Zebra"])
    await index.fill()
    assert await http.posts("schoolmate", "zebra") == [post]
    if change == "deleted":
        people.delete("posts", post)
    elif change == "blocked":
        people.block("author", "schoolmate")
    else:
        table, key, columns = STALE[change]
        people.change(table, key or post, **columns)
    assert await http.posts("schoolmate", "zebra") == []
    assert (await http.get("schoolmate", "/search", q="zebra")).json()["data"]["posts"] == []
    assert (await http.get("schoolmate", "/search/suggest", q="zebra")).json()["data"] == []
    assert (await http.get("schoolmate", f"/posts/{post}")).status_code == 404


async def test_a_stale_index_does_not_know_old_people_clubs_and_courses(
    http: Api, people: Network, index: Index
) -> None:
    people.change("users", "author", lastName="Quokka")
    club = people.club("author", "quokka club", "north")
    course = people.course("author", "quokka course")
    await index.fill()
    everything_found = {"posts": [], "users": ["author"], "clubs": [club], "courses": [course]}
    assert await http.search("schoolmate", "quokka") == everything_found
    people.change("users", "author", profileVisibility="CLASS")
    people.change("study_clubs", club, mode="INVITE_ONLY")
    people.change("courses", course, isPublished=False)
    assert await http.search("schoolmate", "quokka") == {kind: [] for kind in everything_found}
    assert (await http.get("schoolmate", "/search/suggest", q="quokka")).json()["data"] == []


async def test_the_index_itself_filters(people: Network, index: Index, settings: Settings) -> None:
    """Were hydration to fail open, the index query alone would still not give it away."""
    people.post("author", "zebra", "north", visibility="SCHOOL")
    await index.fill()

    def search(scope: Scope) -> dict[str, Any]:
        return {
            "collection": "stunity_posts",
            "q": "zebra",
            "query_by": "content",
            "filter_by": filter_by("posts", scope),
        }

    async with open_searches(settings, timeout=10) as searches:
        found = await searches.ask([search(scope) for scope in SCOPES])
    assert [one.found for one in found] == [1, 0, 0, 0]


async def test_the_fallback_itself_filters(people: Network, pool: Pool) -> None:
    """Nor would the keys that PostgreSQL finds, of any kind."""
    people.change("users", "author", lastName="Zebra", profileVisibility="CLASS")
    club = people.club("author", "zebra club", "north", mode="INVITE_ONLY")
    people.member(club, "author")
    all_of_them = {
        "posts": [people.post("author", "zebra", "north", visibility="SCHOOL")],
        "users": ["author"],
        "clubs": [club],
        "courses": [people.course("author", "zebra course", isPublished=False)],
    }
    nothing: dict[str, list[str]] = {kind: [] for kind in KINDS}
    async with pool.connection() as conn:
        own, schoolmate, *others = [
            await fallback.search(conn, KINDS, "zebra", scope, 10)
            for scope in (Scope(Viewer("author", "STUDENT", "north")), *SCOPES)
        ]
    assert own == all_of_them
    assert schoolmate == {**nothing, "posts": all_of_them["posts"]}
    assert others == [nothing] * 3


async def test_no_email_no_phone_no_secret_in_index_or_answers(
    http: Api, people: Network, index: Index, store: Typesense, settings: Settings
) -> None:
    people.post("author", "zebra", "north")
    await index.fill()
    documents = str(await everything(store, settings))
    answers = [
        (await http.get("classmate", path)).text
        for path in ("/posts", "/posts?search=zebra", "/search?q=findme", "/search/suggest?q=findme")
    ]
    for text in (documents, *answers):
        assert "author" in text
        assert not any(secret in text for secret in ("mail.example", "+855", "secret-hash"))
    assert (await http.search("classmate", "mail.example"))["users"] == []
    assert token("author") in documents


async def test_without_a_token_nothing(http: Api, index: Index) -> None:
    for path in ("/posts", "/posts/x", "/search?q=a", "/search/suggest?q=a"):
        response = await http.anonymous(path)
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/problem+json"
