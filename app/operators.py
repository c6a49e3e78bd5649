"""Who counts as an operator: whoever knows OPERATOR_TOKEN, or a SUPER_ADMIN with a valid access token.

The operator's token comes as a bearer token (Prometheus) or as the password of HTTP Basic (a browser at `/console`).
"""

from __future__ import annotations

import base64
import binascii
import hmac

from fastapi import Request
from pydantic import SecretStr

from runtime.auth import viewer
from runtime.http import Problem


async def operator(request: Request) -> None:
    """FastAPI dependency: lets operators through.

    Raises:
        Problem: 401 without a good token, 403 with somebody else's.
    """
    if _is_operators(
        presented(request.headers.get("authorization", "")), request.app.state.settings.operator_token
    ):
        return
    try:
        asking = await viewer(request)
    except Problem as problem:
        if problem.status == 401:
            problem.challenge = 'Basic realm="Stunity operators", charset="UTF-8"'
        raise
    if asking.role != "SUPER_ADMIN":
        raise Problem(403, detail="This is for the platform's operators.")


def presented(authorization: str) -> str:
    """The secret in an Authorization header: a bearer token, or the password of Basic; empty when there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _is_operators(secret: str, token: SecretStr | None) -> bool:
    if token is None or not secret:
        return False
    return hmac.compare_digest(secret.encode(), token.get_secret_value().encode())
