"""What the routes of analytics share: their reader, their database, the school's zone, and pictures instead of JSON."""

from __future__ import annotations

from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Request, Response

from consumers.engine.reads import Reader, reader
from runtime.http import Text
from runtime.postgres import Pool

SVG: Final = "image/svg+xml"

AnalyticsReader = Annotated[Reader, Depends(reader("analytics", "timescale", timeout=2.0))]
Id = Annotated[Text, Path(max_length=200)]


def analytics_pool(request: Request) -> Pool:
    """The time-series database: its own, or the truth's."""
    state = request.app.state
    pool: Pool = getattr(state, "analytics_pool", None) or state.pool
    return pool


def school_zone(request: Request) -> ZoneInfo:
    """Whose days are meant."""
    return ZoneInfo(request.app.state.settings.school_time_zone)


def wants_picture(request: Request) -> bool:
    """Whether a chart is asked for."""
    return SVG in request.headers.get("accept", "")


def picture(reader: Reader, svg: str) -> Response:
    """A chart, with the headers that say where its numbers come from. A proxy must not hand it to who wants JSON."""
    return Response(svg, media_type=SVG, headers={**reader.headers, "Vary": "Accept"})
