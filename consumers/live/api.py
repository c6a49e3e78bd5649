"""HTTP of live state: heartbeat, online count, logout. What they mean is `presence.py` and `revocations.py`.

Live quizzes come along from `quiz_api.py`, the event stream from `happenings/`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from consumers.live.happenings.api import router as happenings_router
from consumers.live.presence import Presence
from consumers.live.quiz_api import router as quiz_router
from consumers.live.revocations import TokenRevocations
from consumers.live.schema import ONLINE_SECONDS, client_of
from runtime.auth import CurrentViewer, bearer_token, decode, token_hash
from runtime.http import Problem, Text

router = APIRouter(tags=["live"])
router.include_router(quiz_router)
router.include_router(happenings_router)

Id = Annotated[Text, Path(), Field(min_length=1, max_length=200)]

#: Claims may say anything: a revocation is remembered at most this long.
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


@router.post("/users/heartbeat")
async def heartbeat(request: Request, viewer: CurrentViewer) -> dict[str, Any]:
    """The viewer's app is open; to be repeated every 20 seconds."""
    await presence(request).heartbeat(viewer)
    return {"ok": True, "data": {"expiresInSeconds": ONLINE_SECONDS}}


@router.get("/schools/{school_id}/online-count")
async def online_count(
    request: Request, response: Response, viewer: CurrentViewer, school_id: Id
) -> dict[str, Any]:
    """How many people of the viewer's own school are online."""
    if viewer.school_id != school_id:
        raise Problem(403, detail="Only the school's members may see who is online.")
    count, source = await presence(request).count(school_id)
    response.headers["Stunity-Source"] = source
    response.headers["Stunity-Lag-Ms"] = "0"
    return {"data": {"schoolId": school_id, "count": count}}


@router.post("/auth/logout", status_code=204)
async def logout(request: Request, viewer: CurrentViewer) -> Response:
    """End this sign-in: the token is refused from now on."""
    token = bearer_token(request)
    claims = decode(token, request.app.state.settings.jwt_secret.get_secret_value())
    jti = claims.get("jti")
    position = await revocations(request).revoke(
        token_hash(token), viewer.id, _expiry(int(claims["exp"])), jti if isinstance(jti, str) else None
    )
    return Response(status_code=204, headers={"Stunity-Position": position})


def presence(request: Request) -> Presence:
    """Presence in this process, made at its first use."""
    state = request.app.state
    if not hasattr(state, "presence"):
        client, breakers = client_of(state), getattr(state, "breakers", None)
        state.presence = Presence(state.pool, client, state.settings.stream_prefix, breakers)
    made: Presence = state.presence
    return made


def revocations(request: Request) -> TokenRevocations:
    """What `runtime/auth.py` asks as well: `app.state.revocations`, set when the application starts.

    Raises:
        Problem: 503 when there is none.
    """
    made: TokenRevocations | None = getattr(request.app.state, "revocations", None)
    if made is None:
        raise Problem(503, detail="This process cannot end sign-ins.")
    return made


def _expiry(exp: int) -> datetime:
    return min(datetime.fromtimestamp(min(exp, _LATEST.timestamp()), UTC), _LATEST)
