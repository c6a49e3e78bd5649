"""What is embedded, how often, and what goes away: hash skip, edits, deletes, the cache."""

from __future__ import annotations

import pytest

from consumers.engine.projection import Batch, StaleOwner, StoreForgot
from tests.integration.embeddings.conftest import Pipeline
from tests.support.network import Network


async def test_a_post_is_embedded_once_whatever_happens_to_its_counters(
    pipeline: Pipeline, network: Network
) -> None:
    post = network.post("teacher", "The derivative of a function tells how fast it changes.")
    await pipeline.run()
    assert list(pipeline.vectors()) == [post]
    network.change("posts", post, likesCount=5, isPinned=True)
    network.change("posts", post, visibility="SCHOOL", schoolId="north")
    await pipeline.run()
    assert len(pipeline.backend.texts) == 1


async def test_the_same_text_in_many_posts_is_embedded_once(pipeline: Pipeline, network: Network) -> None:
    posts = [
        network.post(author, "Bring your **calculators** tomorrow!")
        for author in ("teacher", "anna", "borey")
    ]
    await pipeline.run()
    later = network.post("chan", "Bring your calculators tomorrow!")
    await pipeline.run()
    assert sorted(pipeline.vectors()) == sorted([*posts, later])
    assert len(pipeline.backend.texts) == 1


async def test_after_an_edit_the_old_vector_serves_until_the_new_one_is_there(
    pipeline: Pipeline, network: Network
) -> None:
    post = network.post("teacher", "Volcanoes of the Pacific.")
    await pipeline.run()
    before = pipeline.vectors()[post]
    network.change("posts", post, content="How to bake bread.")
    await pipeline.sync()
    assert pipeline.vectors()[post] == before
    await pipeline.work()
    assert pipeline.vectors()[post] != before
    network.change("posts", post, content="Volcanoes of the Pacific.")
    await pipeline.sync()
    assert pipeline.vectors()[post] == before, "from the cache, without a worker"
    assert len(pipeline.backend.texts) == 2


async def test_deleted_and_privatised_posts_leave_nothing_behind(
    pipeline: Pipeline, network: Network
) -> None:
    gone = network.post("teacher", "A post that will be deleted.")
    hidden = network.post("teacher", "A post that will be private.")
    await pipeline.run()
    network.delete("posts", gone)
    network.change("posts", hidden, visibility="PRIVATE")
    await pipeline.sync()
    assert pipeline.vectors() == {}
    assert pipeline.count("documents") == pipeline.count("cache") == 0, (
        "the vector of a text tells what it said"
    )


async def test_who_leaves_takes_posts_profile_and_interests_along(
    pipeline: Pipeline, network: Network
) -> None:
    network.user("leaver", "north", interests=["Astronomy", "telescopes"])
    network.post("leaver", "The rings of Saturn through my telescope.")
    await pipeline.run()
    assert pipeline.count("interests") == 1
    network.delete("users", "leaver")
    await pipeline.run()
    assert pipeline.count("vectors") == pipeline.count("interests") == pipeline.count("stale_interests") == 0


async def test_a_delete_that_overtakes_the_worker_is_not_undone(pipeline: Pipeline, network: Network) -> None:
    post = network.post("teacher", "Written and withdrawn.")
    kept = network.post("teacher", "Written and kept.")
    edited = network.post("teacher", "Written and edited.")
    await pipeline.sync()
    queue = pipeline.texts
    await queue.ready()
    taken = await queue.take(10, lease=60)
    embeddings = await pipeline.backend.embed([text.text for text in taken])
    network.delete("posts", post)
    network.change("posts", edited, content="Edited while the worker was busy.")
    await pipeline.sync()
    await queue.save({text.digest: one for text, one in zip(taken, embeddings, strict=True)})
    assert list(pipeline.vectors()) == [kept]
    await pipeline.work()
    assert sorted(pipeline.vectors()) == sorted([kept, edited])


async def test_a_rebuild_from_the_truth_asks_the_model_nothing(pipeline: Pipeline, network: Network) -> None:
    for number in range(20):
        network.post("teacher", f"Lesson number {number} of the geography course.")
    await pipeline.run()
    before, asked = pipeline.vectors(), len(pipeline.backend.texts)
    pipeline.conn.execute("SELECT embeddings.forget()")
    assert pipeline.vectors() == {}
    assert await pipeline.projection.read_checkpoint() is None
    await pipeline.refill()
    await pipeline.work()
    assert pipeline.vectors() == before
    assert len(pipeline.backend.texts) == asked


async def test_pictures_without_words_have_no_vector(pipeline: Pipeline, network: Network) -> None:
    network.post("teacher", "https://pictures.example/1.png", mediaUrls=["x"])
    await pipeline.run()
    assert pipeline.count("documents") == pipeline.count("pending") == 0


async def test_courses_quizzes_and_profiles_have_vectors_of_their_own(
    pipeline: Pipeline, network: Network
) -> None:
    course = network.course("teacher", "Organic chemistry", description="Carbon and what it does.")
    post = network.post("teacher", "Test yourself", postType="QUIZ")
    question = '[{"text": "What is the capital of Cambodia?", "correctAnswer": "Phnom Penh"}]'
    network.conn.execute(
        'INSERT INTO quizzes (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "updatedAt")'
        " VALUES ('q1', %s, %s, 60, 50, 10, now())",
        (post, question),
    )
    network.user("reader", "north", interests=["Poetry"])
    await pipeline.run()
    assert list(pipeline.vectors("course")) == [course]
    assert list(pipeline.vectors("quiz")) == list(pipeline.vectors()) == [post]
    assert list(pipeline.vectors("profile")) == ["reader"]
    assert any("capital of Cambodia" in text for text in pipeline.backend.texts)
    assert not any("Phnom Penh" in text for text in pipeline.backend.texts), "answers are no part of the text"


async def test_a_paused_former_owner_writes_nothing(pipeline: Pipeline, network: Network) -> None:
    network.post("teacher", "Written while the lease was lost.")
    await pipeline.sync(generation=7)
    with pytest.raises(StaleOwner):
        await pipeline.projection.apply(Batch((), "old", 6))
    assert await pipeline.projection.read_checkpoint() != "old"


async def test_a_dropped_view_says_so_instead_of_going_on_empty(pipeline: Pipeline) -> None:
    pipeline.conn.execute("SELECT embeddings.forget()")
    with pytest.raises(StoreForgot):
        await pipeline.projection.apply(Batch((), "c9", 1))
    pipeline.conn.execute("DROP EXTENSION vector CASCADE")
    await pipeline.projection.prepare()
    assert await pipeline.projection.read_checkpoint() is None
    await pipeline.projection.apply(Batch((), "again", 1, refill=True))


async def test_vectors_that_somebody_emptied_are_filled_again(pipeline: Pipeline, network: Network) -> None:
    network.post("teacher", "Somebody truncates the table below me.")
    await pipeline.run()
    assert await pipeline.projection.read_checkpoint() is not None
    pipeline.conn.execute("TRUNCATE embeddings.vectors")
    assert await pipeline.projection.read_checkpoint() is None
