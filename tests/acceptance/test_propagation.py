"""What is taken back is gone: from every answer at once, and from the index a moment later.

Each change is made as upstream makes it, in SQL, and the reads follow without waiting for anything. The index is then
looked at behind the API's back, until it has followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx
import pytest

from consumers.search.schema import token
from tests.acceptance.conftest import Stack
from tests.support.network import Network
from tests.support.wait import until

SCHOOL: Final = "pg-school"
VIEWER: Final = "pg-viewer"
AUTHOR: Final = "pg-author"
READS: Final = {"post", "posts", "search", "suggest", "feed"}
_words: Final = (f"quixomantic{letter}" for letter in map(chr, count(ord("a"))))

Change = Callable[[Network, str], Any]
Document = dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    """A change, how it is undone, and what the index says when it has followed (None: it need not change)."""

    name: str
    change: Change
    undo: Change
    followed: Callable[[Document], bool] | None


def _gone(document: Document) -> bool:
    return document is None


def _no_longer(field: str, value: str) -> Callable[[Document], bool]:
    return lambda document: document is None or value not in document[field]


CASES: Final = (
    Case("deleted", lambda n, post: n.delete("posts", post), lambda n, post: None, _gone),
    Case(
        "made private",
        lambda n, post: n.change("posts", post, visibility="PRIVATE"),
        lambda n, post: None,
        _no_longer("audience", token(SCHOOL)),
    ),
    Case(
        "moved to another school",
        lambda n, post: n.change("posts", post, schoolId="pg-other"),
        lambda n, post: None,
        _no_longer("school", token(SCHOOL)),
    ),
    Case(
        "author deactivated",
        lambda n, post: n.change("users", AUTHOR, isActive=False),
        lambda n, post: n.change("users", AUTHOR, isActive=True),
        _gone,
    ),
    Case(
        "author suspended",
        lambda n, post: n.change("users", AUTHOR, accountSuspendedAt="2026-01-01"),
        lambda n, post: n.change("users", AUTHOR, accountSuspendedAt=None),
        _gone,
    ),
    Case(
        "blocked",
        lambda n, post: n.block(AUTHOR, VIEWER),
        lambda n, post: n.conn.execute('DELETE FROM user_blocks WHERE "blockerId" = %s', (AUTHOR,)),
        None,
    ),
)


@pytest.fixture(scope="module")
def network(stack: Stack) -> Iterator[Network]:
    """An author and a viewer of one school."""
    with stack.connect() as conn:
        network = Network(conn)
        for school in (SCHOOL, "pg-other"):
            network.school(school)
        for user in (AUTHOR, VIEWER):
            network.user(user, SCHOOL)
        yield network


@pytest.fixture(scope="module")
def viewer(stack: Stack, network: Network) -> Iterator[httpx.Client]:
    """The API as the viewer sees it."""
    with stack.person(VIEWER) as client:
        yield client


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_gone_at_once_and_from_the_index_soon(
    stack: Stack, network: Network, viewer: httpx.Client, case: Case
) -> None:
    word = next(_words)
    post = network.post(AUTHOR, f"{word} text", SCHOOL, title=word, visibility="SCHOOL", topicTags=[word])
    await until(lambda: _shown_by(viewer, post, word) == READS, timeout=30, what="every read shows the post")
    try:
        case.change(network, post)
        assert _shown_by(viewer, post, word) == set()
        if case.followed is not None:
            followed = case.followed
            await until(lambda: followed(_indexed(stack, post)), timeout=10, what="the index follows")
            assert _shown_by(viewer, post, word) == set()
    finally:
        case.undo(network, post)


def _shown_by(viewer: httpx.Client, post: str, word: str) -> set[str]:
    """The reads whose answers show the post."""
    answers = {
        "posts": viewer.get("/posts", params={"search": word}),
        "search": viewer.get("/search", params={"q": word}),
        "suggest": viewer.get("/search/suggest", params={"q": word}),
        "feed": viewer.get("/feed", params={"mode": "RECENT", "limit": 50}),
    }
    shown = {name for name, answer in answers.items() if word in answer.raise_for_status().text}
    return shown | ({"post"} if viewer.get(f"/posts/{post}").status_code == 200 else set())


def _indexed(stack: Stack, post: str) -> Document:
    """The document as Typesense holds it."""
    env = stack.environment
    base = f"{env['TYPESENSE_PROTOCOL']}://{env['TYPESENSE_HOST']}:{env['TYPESENSE_PORT']}"
    url = f"{base}/collections/{env.get('STREAM_PREFIX', 'stunity')}_posts/documents/{token(post)}"
    answer = httpx.get(url, headers={"X-TYPESENSE-API-KEY": env["TYPESENSE_API_KEY"]})
    document: Document = answer.json() if answer.status_code == 200 else None
    return document
