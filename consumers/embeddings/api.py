"""HTTP of the embeddings view: similar posts, whom to follow, which courses and quizzes. Vectors first, else words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from consumers.embeddings import fallback
from consumers.embeddings.cards import Card
from consumers.embeddings.view import EmbeddingsView
from consumers.engine.reads import Reader, reader
from runtime.access import Scope
from runtime.http import Text
from runtime.postgres import Connection

router = APIRouter(tags=["recommendations"])

VectorReader = Annotated[Reader, Depends(reader("embeddings", "pgvector", timeout=2.5))]
Limit = Annotated[int, Query(ge=1, le=50)]

#: A read that waits for a position also waits so long (s) for the worker to embed what was written there.
_WAIT_FOR_VECTOR: Final = 1.0


@router.get("/posts/{post_id}/similar")
async def similar_posts(
    request: Request, reader: VectorReader, post_id: Annotated[Text, Path(max_length=200)], limit: Limit = 10
) -> dict[str, Any]:
    """Posts about the same thing, nearest first, as far as the viewer may see them."""
    wait = _WAIT_FOR_VECTOR if "stunity-after" in request.headers else 0.0
    return await _answer(
        request,
        reader,
        lambda view: view.similar(post_id, limit, wait=wait),
        lambda conn, scope: fallback.similar(conn, scope, post_id, limit),
    )


@router.get("/users/suggestions")
async def user_suggestions(request: Request, reader: VectorReader, limit: Limit = 10) -> dict[str, Any]:
    """People whom the viewer does not follow yet: by mutual follows, by interests, of the same school."""
    return await _answer(
        request,
        reader,
        lambda view: view.suggestions(limit),
        lambda conn, scope: fallback.suggestions(conn, scope, limit),
    )


@router.get("/recommendations/courses")
async def recommended_courses(request: Request, reader: VectorReader, limit: Limit = 10) -> dict[str, Any]:
    """Published courses near to what the viewer is interested in, not enrolled yet."""
    return await _answer(
        request,
        reader,
        lambda view: view.courses(limit),
        lambda conn, scope: fallback.courses(conn, scope, limit),
    )


@router.get("/recommendations/quizzes")
async def recommended_quizzes(request: Request, reader: VectorReader, limit: Limit = 10) -> dict[str, Any]:
    """Quizzes near to what the viewer is interested in, not attempted yet, without their answers."""
    return await _answer(
        request,
        reader,
        lambda view: view.quizzes(limit),
        lambda conn, scope: fallback.quizzes(conn, scope, limit),
    )


async def _answer(
    request: Request,
    reader: Reader,
    from_vectors: Callable[[EmbeddingsView], Awaitable[list[Card]]],
    from_words: Callable[[Connection, Scope], Awaitable[list[Card]]],
) -> dict[str, Any]:
    scope = reader.scope
    off = request.app.state.settings.embedding_backend == "none"
    view = EmbeddingsView(reader.pool, scope)
    data = await reader.answer(
        None if off else lambda: from_vectors(view), lambda conn: from_words(conn, scope)
    )
    return {"data": data, "nextCursor": None}
