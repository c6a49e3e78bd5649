"""GET /posts/{id}/similar: meaning above hashtags, the visibility rules in view and fallback, what cannot be read."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.embeddings.conftest import Api, Pipeline
from tests.support.network import Network

#: Subject -> the same thing said in other words, and something else under the first one's hashtags.
SUBJECTS = {
    "calculus": (
        "Today we began calculus: the **derivative** tells how fast $f(x)$ changes at one point. #StudyTips",
        "Differentiation finds the slope of a curve, the instantaneous rate of change of a function.",
        "Football training moves to Saturday morning, bring water and your shoes. #StudyTips",
    ),
    "photosynthesis": (
        "Photosynthesis: plants make sugar from light, water and carbon dioxide. #Grade10 #Science",
        "How green leaves turn sunshine into food, and give us oxygen on the way",
        "The bus for the museum leaves at eight, do not forget your permission slips! #Grade10 #Science",
    ),
    "angkor": (
        "The Khmer Empire at its height: Jayavarman VII and the building of Angkor Thom #History",
        "A medieval king in Cambodia who raised temples and hospitals around his walled capital",
        "Quiz results are out, congratulations to everybody who passed #History",
    ),
}


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_the_same_subject_in_other_words_is_nearer_than_a_shared_hashtag(
    pipeline: Pipeline, network: Network, http: Api, subject: str
) -> None:
    first, other_words, same_tag = (
        network.post("teacher", text, topicTags=tags)
        for text, tags in zip(SUBJECTS[subject], (["StudyTips"], ["Other"], ["StudyTips"]), strict=True)
    )
    for others in SUBJECTS.values():
        network.post("teacher", others[2] + " Once more.")
    await pipeline.run()
    found = await http.ids("anna", f"/posts/{first}/similar")
    assert found[0] == other_words
    assert first not in found
    assert found.index(other_words) < found.index(same_tag)


async def test_only_what_the_viewer_may_see_is_similar(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    network.school_class("north", "anna", "borey")
    text = "Balancing chemical equations step by step, lesson {}"
    source = network.post("teacher", text.format("zero"), "north", visibility="SCHOOL")
    public = network.post("master", text.format("one"), "south", visibility="PUBLIC")
    school = network.post("chan", text.format("two"), "north", visibility="SCHOOL")
    classmates = network.post("borey", text.format("three"), "north", visibility="CLASS")
    foreign = network.post("master", text.format("four"), "south", visibility="SCHOOL")
    network.post("chan", text.format("five"), visibility="PRIVATE")
    suspended = network.user("suspended", "north", accountSuspendedAt="2026-01-01")
    network.post(suspended, text.format("six"), "north", visibility="SCHOOL")
    await pipeline.run()
    for api, store in ((http, "pgvector"), (bare, "postgres")):
        found = await api.ids("anna", f"/posts/{source}/similar", store)
        assert sorted(found) == sorted([public, school, classmates]), store
        assert classmates not in await api.ids("chan", f"/posts/{source}/similar", store)
        assert (await api.get("sophea", f"/posts/{source}/similar")).status_code == 404
    network.block("chan", "anna")
    for api, store in ((http, "pgvector"), (bare, "postgres")):
        assert school not in await api.ids("anna", f"/posts/{source}/similar", store)
    assert foreign not in found


async def test_a_filter_does_not_starve_the_page(pipeline: Pipeline, network: Network, http: Api) -> None:
    """The nearest 300 posts belong to another school; the ten that the viewer may see come all the same."""
    source = network.post("anna", "Homework on fractions number", "north", visibility="SCHOOL")
    for number in range(300):
        network.post("master", f"Homework on fractions number {number % 5}", "south", visibility="SCHOOL")
    own = [
        network.post("teacher", f"The weather on day {n}", "north", visibility="SCHOOL") for n in range(10)
    ]
    await pipeline.run()
    pipeline.conn.execute("ANALYZE embeddings.vectors")
    assert sorted(await http.ids("anna", f"/posts/{source}/similar")) == sorted(own)


async def test_a_script_that_the_model_cannot_read_is_compared_by_words(
    pipeline: Pipeline, network: Network, http: Api
) -> None:
    source = network.post("teacher", "សិស្សរៀនអំពីរស្មីសំយោគរបស់ស្លឹកឈើបៃតងនៅក្នុងសួនជីវវិទ្យា។", topicTags=["ជីវវិទ្យា"])
    network.post("teacher", "ព្រឹត្តិការណ៍កីឡានៅថ្ងៃសៅរ៍ សូមអញ្ជើញចូលរួម។", topicTags=["កីឡា"])
    same = network.post("teacher", "រស្មីសំយោគគឺជាដំណើរការរបស់ស្លឹកឈើបៃតង។", topicTags=["ជីវវិទ្យា"])
    english = network.post("teacher", "Leaves are green because of chlorophyll.")
    await pipeline.run()
    assert source in pipeline.vectors()
    assert await http.ids("anna", f"/posts/{source}/similar", "postgres") == [same]
    assert await http.ids("anna", f"/posts/{english}/similar") == [], "noise is no neighbour either"


async def test_words_find_most_of_what_vectors_find(
    pipeline: Pipeline, network: Network, http: Api, bare: Api
) -> None:
    """The stated tolerance of the fallback: of five posts on a subject that share words, at least three."""
    subjects = {
        "volcano": "The volcano throws lava and ash; under the volcano magma rises, lesson {}",
        "poetry": "Rhyme and rhythm make poetry sing, we read poetry aloud, stanza {}",
        "algebra": "Solve the quadratic equation by factoring the polynomial, exercise {}",
    }
    posts = {
        subject: [network.post("teacher", text.format(number)) for number in range(6)]
        for subject, text in subjects.items()
    }
    await pipeline.run()
    for subject, [source, *_] in posts.items():
        near = set(await http.ids("anna", f"/posts/{source}/similar", limit=5))
        words = set(await bare.ids("anna", f"/posts/{source}/similar", "postgres", limit=5))
        assert near == set(posts[subject]) - {source}
        assert len(near & words) >= 3


async def test_a_read_that_waits_for_its_write_waits_for_the_vector_too(
    pipeline: Pipeline, network: Network, http: Api
) -> None:
    other = network.post("teacher", "Electric circuits with batteries and bulbs")
    await pipeline.run()
    post = network.post("teacher", "Currents in circuits: batteries, wires, lamps")
    await pipeline.sync()
    assert await http.ids("anna", f"/posts/{post}/similar", "postgres") == [other], "no vector yet: words"
    [(position,)] = pipeline.conn.execute("SELECT outbox.position()").fetchall()
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(http.get("anna", f"/posts/{post}/similar", {"Stunity-After": position}))
        await pipeline.embed.run()
    assert answer.result().headers["stunity-source"] == "pgvector"
    assert [card["id"] for card in answer.result().json()["data"]] == [other]


async def test_without_pgvector_the_feature_is_off_and_everything_else_runs(
    pipeline: Pipeline, network: Network, http: Api
) -> None:
    pipeline.conn.execute("DROP EXTENSION vector CASCADE")
    pipeline.conn.execute("ALTER FUNCTION embeddings.install() RENAME TO really_install")
    pipeline.conn.execute(
        "CREATE FUNCTION embeddings.install() RETURNS text LANGUAGE sql AS $$ SELECT 'not here'::text $$"
    )
    await pipeline.start()
    one = network.post("teacher", "Percentages and interest rates", topicTags=["Math"])
    two = network.post("teacher", "Interest rates explained", topicTags=["Math"])
    await pipeline.run()
    assert pipeline.count("documents") == 0
    assert await http.ids("anna", f"/posts/{one}/similar", "postgres") == [two]
    assert (
        pipeline.conn.execute("SELECT * FROM embeddings.semantic_scores('anna', %s)", ([one],)).fetchall()
        == []
    )
    pipeline.conn.execute("DROP FUNCTION embeddings.install")
    pipeline.conn.execute("ALTER FUNCTION embeddings.really_install() RENAME TO install")
    await pipeline.projection.prepare()
    assert await pipeline.projection.read_checkpoint() is None, "installed later: the view is filled"
