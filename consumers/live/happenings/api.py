"""HTTP of what happens: one server-sent event stream per client (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from consumers.live.happenings.place import BadPlace, Place
from consumers.live.happenings.session import Session
from consumers.live.happenings.tail import Tail
from runtime.auth import CurrentViewer
from runtime.auth import viewer as current_viewer
from runtime.http import Problem

router = APIRouter(tags=["live"])

PING_SECONDS: Final = 15
MOST_PER_USER: Final = 5
MOST_PER_PROCESS: Final = 2_000

LastEventId = Annotated[str | None, Header(max_length=4096)]


class Happenings:
    """The process's tail, and how many listen."""

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self._open: Counter[str] = Counter()

    def admit(self, user: str) -> None:
        """Count one more connection.

        Raises:
            Problem: 429 when this user, 503 when this process has enough of them.
        """
        if self._open.total() >= MOST_PER_PROCESS:
            raise Problem(503, detail="Too many event streams are open.")
        if self._open[user] >= MOST_PER_USER:
            raise Problem(429, detail=f"At most {MOST_PER_USER} event streams per user.")
        self._open[user] += 1

    def leave(self, user: str) -> None:
        """Count one less."""
        self._open[user] -= 1
        if not self._open[user]:
            del self._open[user]


@router.get(
    "/events/stream",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream(
    request: Request, viewer: CurrentViewer, last_event_id: LastEventId = None
) -> EventSourceResponse:
    """What happens to the viewer: posts near them, likes and comments on their posts, followers.

    Ids come with `hello`, `place` and `reset`; a client that connects again with `Last-Event-ID` gets what it missed,
    at least once. `reset` says that this was too much: load afresh. An event has ids only, content is read as ever.
    """
    place = _place(last_event_id)
    happenings = _happenings(request)
    happenings.admit(viewer.id)
    session = Session(happenings.tail, request.app.state.pool, lambda: current_viewer(request), place)
    return _Stream(session.events(), partial(happenings.leave, viewer.id))


class _Stream(EventSourceResponse):
    """Counted until it ends: a generator that was never begun, since the client had gone, has no `finally`."""

    def __init__(self, events: AsyncIterator[ServerSentEvent], leave: Callable[[], None]) -> None:
        super().__init__(events, ping=PING_SECONDS)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client or the generator ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def _place(last_event_id: str | None) -> Place | None:
    if not last_event_id:
        return None
    try:
        return Place.parse(last_event_id)
    except BadPlace:
        raise Problem(400, detail="Last-Event-ID is not an id of this stream.") from None


def _happenings(request: Request) -> Happenings:
    """This process's, made at its first use."""
    state = request.app.state
    if not hasattr(state, "happenings"):
        state.happenings = Happenings(Tail(state.pool))
    made: Happenings = state.happenings
    return made
