"""Typesense: whether it answers, its version, and whether the key may do what the search consumer does."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from app.doctor.finding import Finding, fail, missing, ok
from runtime.settings import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """Everything about one server."""
    key = settings.typesense_api_key.get_secret_value() if settings.typesense_api_key else ""
    base = f"{settings.typesense_protocol}://{settings.typesense_host}:{settings.typesense_port}"
    try:
        with httpx.Client(base_url=base, headers={"X-TYPESENSE-API-KEY": key}, timeout=5.0) as client:
            health = client.get("/health")
            collections = client.get("/collections")
            version = client.get("/debug")
    except httpx.HTTPError as error:
        yield missing(
            "typesense", f"does not answer: {error}", "start it, or correct TYPESENSE_HOST and _PORT"
        )
        return
    if health.status_code != httpx.codes.OK:
        yield missing(
            "typesense", f"is not healthy: HTTP {health.status_code}", "look at its log: disk, memory, quorum"
        )
    elif collections.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        yield fail(
            "typesense",
            "refuses the key",
            "set TYPESENSE_API_KEY to one that may do everything on collections",
        )
    else:
        name = version.json().get("version", "unknown") if version.is_success else "unknown"
        yield ok("typesense", f"version {name}, the key is accepted, {len(collections.json())} collections")
