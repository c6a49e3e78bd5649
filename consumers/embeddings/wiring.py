"""Builds the write side of the embeddings view from settings. Called by `app/` only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from consumers.embeddings.backend import Backend
from consumers.embeddings.huggingface import huggingface_backend
from consumers.embeddings.jobs import EmbedJob, InterestJob, OneAtATime
from consumers.embeddings.local import BUNDLED, local_backend
from consumers.embeddings.people import InterestQueue
from consumers.embeddings.projection import EmbeddingsProjection
from consumers.embeddings.queue import MonthlyQuota, TextQueue
from consumers.embeddings.rebuild import EmbeddingShadows
from consumers.embeddings.schema import EMBED, INTERESTS, PRUNE, QUEUE, Model, Policy
from consumers.embeddings.store import EmbeddingStore
from runtime.errors import ConfigurationError
from runtime.jobs import Actor
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings

log = structlog.get_logger(__name__)

#: Jobs that nobody asks for by writing: name, queue, how often.
CHORES: Final = ((PRUNE, QUEUE, timedelta(days=1)),)


def why_off(settings: Settings) -> str | None:
    """Why semantic features are off by settings; None when they are on."""
    if settings.embedding_backend == "none":
        return "EMBEDDING_BACKEND is none"
    if settings.embedding_backend == "huggingface" and settings.huggingface_api_key is None:
        return "HUGGINGFACE_API_KEY is not set"
    return None


@asynccontextmanager
async def projection(settings: Settings, pool: Pool) -> AsyncIterator[EmbeddingsProjection]:
    """The projection; with the feature off it keeps its checkpoint and does nothing else."""
    model = None if why_off(settings) else _model(settings)
    yield EmbeddingsProjection(EmbeddingStore(pool, model, _policy(settings)))


@asynccontextmanager
async def shadows(settings: Settings, pool: Pool) -> AsyncIterator[EmbeddingShadows]:
    """What a rebuild asks of this view.

    Raises:
        ConfigurationError: semantic features are off.
    """
    if reason := why_off(settings):
        raise ConfigurationError(f"embeddings are off: {reason}")
    model = _model(settings)
    yield EmbeddingShadows(pool, model, _policy(settings), lambda: _backend(settings, model, pool))


@asynccontextmanager
async def actors(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Sequence[Actor]]:
    """The jobs, with the model if it runs here. With the feature off they are there and do nothing."""
    if reason := why_off(settings):
        log.warning("semantic_features_off", reason=reason)
        yield _idle_actors()
        return
    model = _model(settings)
    async with (
        open_pool(settings.database_url, max_size=3, name="stunity-embeddings") as pool,
        _backend(settings, model, pool) as backend,
    ):
        texts = TextQueue(pool, model)
        embed = OneAtATime(EmbedJob(texts, backend, stop).run)
        build = OneAtATime(InterestJob(InterestQueue(pool, model), stop).run)

        async def prune() -> None:
            if await texts.ready():
                await texts.prune()

        yield (
            Actor(EMBED, embed, queue=QUEUE, priority=0, max_retries=None, at_start=True),
            Actor(INTERESTS, build, queue=QUEUE, priority=20, max_retries=None, at_start=True),
            Actor(PRUNE, prune, queue=QUEUE),
        )


def _idle_actors() -> Sequence[Actor]:
    """For requests from the time when the feature was on, and for chores."""

    async def nothing() -> None:
        """There is no model."""

    return tuple(Actor(name, nothing, queue=QUEUE) for name in (EMBED, INTERESTS, PRUNE))


def _policy(settings: Settings) -> Policy:
    if settings.embedding_backend == "huggingface":
        return Policy.outside(share_class_posts=settings.embedding_share_class_posts)
    return Policy.inside()


def _model(settings: Settings) -> Model:
    return Model(
        settings.embedding_model or BUNDLED,
        settings.embedding_dimension,
        settings.embedding_passage_prefix,
        settings.embedding_query_prefix,
    )


def _backend(settings: Settings, model: Model, pool: Pool) -> AbstractAsyncContextManager[Backend]:
    if settings.embedding_backend == "huggingface":
        assert settings.huggingface_api_key is not None  # else why_off() has a reason
        return huggingface_backend(
            model,
            url=settings.huggingface_api_url,
            key=settings.huggingface_api_key,
            quota=MonthlyQuota(pool, "huggingface", settings.huggingface_requests_per_month),
            requests_per_minute=settings.huggingface_requests_per_minute,
        )
    return local_backend(model, precision=settings.embedding_precision, threads=settings.embedding_threads)
