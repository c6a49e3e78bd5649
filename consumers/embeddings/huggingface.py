"""Vectors from the Hugging Face inference API (feature extraction), within a rate and a monthly quota.

Which texts may leave the house at all is decided where they are read (`store.py`): nothing private comes here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import time
from typing import Any, Final

import httpx
import numpy as np
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import SecretStr

from consumers.embeddings.backend import Postponed, Quota
from consumers.embeddings.schema import Embedding, Model
from runtime.errors import Permanent, Retryable

_RATE_KEY: Final = "huggingface"
#: Refused for what it is, not for how the API does today: of a batch, one text is to blame.
_REFUSED: Final = frozenset({400, 413, 422})
#: The key or the model is wrong; somebody has to mend it, and until then asking often is pointless.
_MISCONFIGURED: Final = frozenset({401, 403, 404, 410})
_MEND_SECONDS: Final = 300.0


class HuggingFaceBackend:
    """One request per batch."""

    batch = 32

    def __init__(
        self, http: httpx.AsyncClient, url: str, model: Model, quota: Quota, requests_per_minute: int
    ) -> None:
        self._http = http
        self._url = url
        self._model = model
        self._quota = quota
        self._rate = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def embed(self, texts: Sequence[str]) -> Sequence[Embedding]:
        """See `Backend.embed`."""
        await self._within_limits()
        try:
            response = await self._http.post(
                self._url, json={"inputs": list(texts), "normalize": True, "truncate": True}
            )
        except httpx.HTTPError as error:
            raise Retryable(f"Hugging Face: {error or type(error).__name__}") from error
        return self._embeddings(_checked(response), len(texts))

    async def _within_limits(self) -> None:
        if not await self._limiter.hit(self._rate, _RATE_KEY):
            window = await self._limiter.get_window_stats(self._rate, _RATE_KEY)
            raise Postponed("requests per minute are used up", max(window.reset_time - time(), 0.1))
        if seconds := await self._quota.take():
            raise Postponed("requests per month are used up", seconds)

    def _embeddings(self, body: Any, count: int) -> list[Embedding]:
        try:
            vectors = np.asarray(body, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise Retryable("Hugging Face: the answer is not a list of vectors") from error
        if vectors.shape != (count, self._model.dimension):
            raise Postponed(
                f"Hugging Face: {count} vectors of {self._model.dimension} expected, got {vectors.shape}",
                _MEND_SECONDS,
            )
        return [Embedding(vector) for vector in vectors / np.linalg.norm(vectors, axis=1, keepdims=True)]


@asynccontextmanager
async def huggingface_backend(
    model: Model, *, url: str, key: SecretStr, quota: Quota, requests_per_minute: int
) -> AsyncIterator[HuggingFaceBackend]:
    """A backend with its connection."""
    endpoint = f"{url.rstrip('/')}/{hub_name(model.source)}/pipeline/feature-extraction"
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
    async with httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(45.0, connect=5.0)) as http:
        yield HuggingFaceBackend(http, endpoint, model, quota, requests_per_minute)


def hub_name(source: str) -> str:
    """The model's full name on the hub; names without an owner are sentence-transformers'."""
    return source if "/" in source else f"sentence-transformers/{source}"


def _checked(response: httpx.Response) -> Any:
    """The body of a good answer.

    Raises:
        Permanent, Postponed, Retryable: what the status says.
    """
    status = response.status_code
    if status in _REFUSED:
        raise Permanent(f"Hugging Face answers {status}: {response.text[:200]}")
    if status in _MISCONFIGURED:
        raise Postponed(
            f"Hugging Face answers {status}: check HUGGINGFACE_API_KEY and EMBEDDING_MODEL", _MEND_SECONDS
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Postponed("Hugging Face answers 429", _retry_after(response))
    if status != httpx.codes.OK:
        raise Retryable(f"Hugging Face answers {status}")
    try:
        return response.json()
    except ValueError as error:
        raise Retryable("Hugging Face: the answer is not JSON") from error


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 30.0
