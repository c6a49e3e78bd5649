"""Keeping the index equal to the truth, whatever order events come in, and whoever else still writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from consumers.search import bulk, mapping, wiring
from consumers.search import projection as projection_module
from consumers.search.checkpoint import LATE_SECONDS, Checkpoint
from consumers.search.projection import SearchProjection
from consumers.search.schema import alias, checkpoint_collection, collection, definition, state_alias, token
from consumers.search.store import Refused, Typesense
from runtime.errors import Retryable
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.search.conftest import Api, Index, event, everything
from tests.support.network import Network
from tests.support.wait import until


def state(documents: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Documents in a fixed order and without what says who wrote them."""
    return {
        kind: sorted(
            ({k: v for k, v in one.items() if k != "_gen"} for one in found), key=lambda one: one["id"]
        )
        for kind, found in documents.items()
    }


async def test_edits_and_deletes_arrive(http: Api, network: Network, index: Index) -> None:
    post = network.post("teacher", "about ferns")
    await index.apply(event("post.created", post))
    assert await http.posts("guest", "ferns") == [post]
    network.change("posts", post, content="about mosses")
    await index.apply(event("post.updated", post))
    assert await http.posts("guest", "ferns") == []
    assert await http.posts("guest", "mosses") == [post]
    network.delete("posts", post)
    await index.apply(event("post.deleted", post))
    assert await http.posts("guest", "mosses") == []


async def test_any_order_and_repetition_end_in_the_same_index(
    network: Network, index: Index, store: Typesense, settings: Settings
) -> None:
    kept = network.post("teacher", "kept")
    gone = network.post("teacher", "gone")
    events = [event("post.created", kept), event("post.created", gone), event("post.updated", kept)]
    await index.apply(*events)
    network.delete("posts", gone)
    await index.apply(event("post.deleted", gone))
    expected = state(await everything(store, settings))
    for order in (events, list(reversed(events)), [*events, *events]):
        await index.apply(*order)
        assert state(await everything(store, settings)) == expected
    assert [one["key"] for one in expected["posts"]] == [kept]


async def test_a_new_name_reaches_posts_and_courses(
    http: Api, network: Network, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_module, "PORTION", 2)
    posts = {network.post("teacher", "lesson") for _ in range(5)}
    course = network.course("teacher", "Lessons")
    await index.fill()
    network.change(
        "users", "teacher", englishFirstName="Renamed", profilePictureUrl="https://x.example/new.png"
    )
    await index.apply(event("user.updated", "teacher"))
    assert set(await http.posts("guest", "renamed")) == posts
    assert (await http.search("guest", "renamed"))["courses"] == [course]
    cards = (await http.get("guest", "/posts", search="lesson")).json()["data"]
    assert {card["author"]["profilePictureUrl"] for card in cards} == {"https://x.example/new.png"}


@pytest.mark.parametrize("column", [{"isActive": False}, {"accountSuspendedAt": "2026-01-01"}])
async def test_a_deactivated_author_leaves_the_index_and_returns(
    network: Network, index: Index, store: Typesense, settings: Settings, column: dict[str, Any]
) -> None:
    network.post("teacher", "lesson")
    await index.fill()
    network.change("users", "teacher", **column)
    await index.apply(event("user.updated", "teacher"))
    documents = await everything(store, settings)
    assert documents["posts"] == []
    assert "teacher" not in {one["key"] for one in documents["users"]}
    network.change("users", "teacher", isActive=True, accountSuspendedAt=None)
    await index.apply(event("user.updated", "teacher"))
    assert len((await everything(store, settings))["posts"]) == 1


async def test_a_deleted_person_takes_their_posts_along(
    network: Network, index: Index, store: Typesense, settings: Settings
) -> None:
    network.post("anna", "mine")
    await index.fill()
    network.delete("users", "anna")
    await index.apply(event("user.deleted", "anna"))
    documents = await everything(store, settings)
    assert documents["posts"] == []
    assert "anna" not in {one["key"] for one in documents["users"]}


async def test_members_enrolments_and_likes_are_counted_from_rows(
    network: Network, index: Index, store: Typesense, settings: Settings
) -> None:
    club, course, post = (
        network.club("teacher", "club"),
        network.course("teacher", "course"),
        network.post("teacher"),
    )
    for user in ("anna", "borey", "sophea"):
        network.member(club, user)
        network.conn.execute(
            'INSERT INTO enrollments (id, "userId", "courseId") VALUES (%s, %s, %s)',
            (f"e{user}", user, course),
        )
        network.conn.execute(
            'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)', (f"l{user}", post, user)
        )
    await index.apply(
        event("club_member.changed", club),
        event("enrollment.changed", course),
        event("post.counters_changed", post),
    )
    documents = await everything(store, settings)
    assert [documents[kind][0]["popularity"] for kind in ("clubs", "courses", "posts")] == [2, 2, 2]


async def test_the_checkpoint_lives_with_the_index(
    index: Index, store: Typesense, settings: Settings
) -> None:
    assert await index.projection.read_checkpoint() is None
    await index.apply(checkpoint="first")
    await index.projection.prepare()
    assert await index.projection.read_checkpoint() == "first"
    await store.drop(collection(settings.stream_prefix, "clubs"))
    await index.projection.prepare()
    assert await index.projection.read_checkpoint() is None


async def test_a_collection_that_vanishes_is_a_forgotten_store(
    network: Network, index: Index, store: Typesense, settings: Settings
) -> None:
    post = network.post("teacher", "x")
    await index.apply(event("post.created", post))
    await store.drop(collection(settings.stream_prefix, "posts"))
    with pytest.raises(StoreForgot):
        await index.apply(event("post.created", post))
    await store.drop(f"{settings.stream_prefix}_checkpoint")
    with pytest.raises(StoreForgot):
        await index.apply()
    await index.projection.prepare()
    await index.fill()
    assert len((await everything(store, settings))["posts"]) == 1


async def test_a_collection_that_somebody_else_has_made_anew_is_a_forgotten_store(
    index: Index, store: Typesense, settings: Settings
) -> None:
    """An owner that was frozen while it cleared the index, or a curious operator, leaves an empty one."""
    await index.apply(checkpoint="first")
    assert await index.projection.read_checkpoint() == "first"
    name = collection(settings.stream_prefix, "clubs")
    made = (await store.collections())[name]

    async def made_anew() -> bool:
        await store.drop(name)
        await store.create(definition(settings.stream_prefix, "clubs"))
        return (await store.collections())[name] != made  # it tells seconds

    await until(made_anew)
    assert await index.projection.read_checkpoint() is None


async def test_a_former_owner_has_no_effect(
    network: Network, index: Index, settings: Settings, pool: Pool, store: Typesense
) -> None:
    post = network.post("teacher", "x")
    async with wiring.projection(settings, pool) as former:
        await index.apply(event("post.created", post), generation=2)
        network.change("posts", post, content="newer")
        with pytest.raises(StaleOwner):
            await Index(former, network.conn, settings).apply(event("post.updated", post), checkpoint="back")
    assert await index.projection.read_checkpoint() == "c1"
    assert (await everything(store, settings))["posts"][0]["content"] == "x"


class PausedStore(Typesense):
    """A store whose owner is paused with a request in hand: the write arrives when somebody else owns the view."""

    def __init__(self, real: Typesense) -> None:
        super().__init__(real._session)
        self.late: list[tuple[str, Sequence[bytes]]] = []

    async def load(self, name: str, lines: Sequence[bytes]) -> list[Refused]:
        if name.endswith("_checkpoint"):
            return await super().load(name, lines)
        self.late.append((name, lines))
        raise Retryable("the answer never came")

    async def arrive(self) -> None:
        for name, lines in self.late:
            await super().load(name, lines)


async def test_a_late_write_of_a_former_owner_is_mended_by_the_new_one(
    network: Network, index: Index, settings: Settings, pool: Pool, store: Typesense
) -> None:
    post = network.post("teacher", "old words")
    paused = PausedStore(store)
    former = Index(SearchProjection(paused, pool, settings.stream_prefix), network.conn, settings)
    with pytest.raises(Retryable):
        await former.apply(event("post.created", post))
    network.change("posts", post, content="new words")
    now = 0.0
    projection = SearchProjection(store, pool, settings.stream_prefix, clock=lambda: now)
    successor = Index(projection, network.conn, settings)
    await successor.apply(generation=2)
    assert (await everything(store, settings))["posts"][0]["content"] == "new words"
    await paused.arrive()
    assert (await everything(store, settings))["posts"][0]["content"] == "old words"
    now = LATE_SECONDS + 1
    await successor.apply(generation=2)
    assert (await everything(store, settings))["posts"][0]["content"] == "new words"
    left = await store.everything(f"{settings.stream_prefix}_checkpoint")
    assert left is not None
    assert {one["id"] for one in left} == {"state", "g2"}


async def test_a_write_whose_answer_never_came_is_repeated_when_it_must_have_ended(
    network: Network, settings: Settings, pool: Pool, store: Typesense, index: Index
) -> None:
    post = network.post("teacher", "old words")
    now = 0.0
    paused = PausedStore(store)
    projection = SearchProjection(paused, pool, settings.stream_prefix, clock=lambda: now)
    owner = Index(projection, network.conn, settings)
    with pytest.raises(Retryable):
        await owner.apply(event("post.created", post))
    network.change("posts", post, content="new words")
    projection._store = store
    await owner.apply(event("post.created", post))
    await paused.arrive()
    await owner.apply()
    assert (await everything(store, settings))["posts"][0]["content"] == "old words"
    now = LATE_SECONDS + 1
    await owner.apply()
    assert (await everything(store, settings))["posts"][0]["content"] == "new words"


async def test_an_overtaken_owner_tells_the_new_one_what_it_wrote(
    network: Network, index: Index, settings: Settings, store: Typesense
) -> None:
    post = network.post("teacher", "x")
    keys: Any = {"posts": [post]}
    former = Checkpoint(store, settings.stream_prefix)
    await former.open(Batch((), "x", 1), keys)
    await index.apply(generation=2)
    await index.apply(generation=2)
    with pytest.raises(StaleOwner):
        await former.close(1, "back")
    await store.delete(collection(settings.stream_prefix, "posts"), [token(post)])
    await index.apply(generation=2)
    assert [one["key"] for one in (await everything(store, settings))["posts"]] == [post]


async def test_a_document_that_does_not_fit_is_rejected_alone(
    network: Network, index: Index, store: Typesense, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = network.post("teacher", "good"), network.post("teacher", "bad")
    real = mapping.document

    def planted(kind: Any, row: Any) -> Any:
        made = real(kind, row)
        return {**made, "popularity": "many"} if made and row["id"] == bad else made

    monkeypatch.setattr(bulk, "document", planted)
    rejections = await index.apply(event("post.created", good), event("post.created", bad))
    assert [one.event.key for one in rejections] == [bad]
    assert "popularity" in rejections[0].reason
    assert f'"key":"{bad}"' in rejections[0].reason  # with its document
    assert [one["key"] for one in (await everything(store, settings))["posts"]] == [good]


async def test_aliases_name_todays_collections(index: Index, store: Typesense, settings: Settings) -> None:
    prefix = settings.stream_prefix
    assert await store.aliases() == {
        **{alias(prefix, kind): collection(prefix, kind) for kind in ("posts", "users", "clubs", "courses")},
        state_alias(prefix): checkpoint_collection(prefix),
    }


async def test_collections_with_the_fields_of_before_are_dropped(
    index: Index, store: Typesense, settings: Settings
) -> None:
    before, foreign = f"{settings.stream_prefix}_posts_0123abcd", f"{settings.stream_prefix}_posts_of_others"
    for name in (before, foreign):
        await store.create({"name": name, "fields": [{"name": "title", "type": "string"}]})
    await index.projection.prepare()
    names = await store.collections()
    assert before not in names
    assert foreign in names
