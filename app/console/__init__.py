"""`/console`: one page that shows operators how the pipeline is doing. It reads; the command line acts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import status
from app.operators import operator

router = APIRouter(include_in_schema=False)

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


def _age(moment: datetime | None) -> str:
    """How long ago, as people say it."""
    if moment is None:
        return "never"
    return duration((datetime.now(UTC) - moment).total_seconds())


def duration(seconds: float) -> str:
    """A span of time in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


_TEMPLATES.filters |= {"age": _age, "duration": duration}


@router.get("/console", dependencies=[Depends(operator)])
async def console(request: Request) -> Response:
    """The page; it reloads itself."""
    state = request.app.state
    found = await status.dependencies(state.settings, state.pool, state.redis)
    shown: dict[str, Any] = {"consumers": [], "epochs": [], "topics": [], "letters": [], "jobs": []}
    if found["postgres"] == "up":
        shown = {
            "consumers": await status.consumers(state.pool),
            **await status.overview(state.pool),
        }
    nonce = token_urlsafe(16)
    page = _TEMPLATES.get_template("console.html").render(
        nonce=nonce, dependencies=found, now=datetime.now(UTC), **shown
    )
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'none'"
    return Response(page, headers={"Content-Security-Policy": policy}, media_type="text/html; charset=utf-8")
