"""HTTP manners shared by every router: problem details (RFC 9457), body limits, and text that PostgreSQL can hold.

Routers live with their views (`consumers/*/api.py`) and with the write services (`producers/*_api.py`);
`app/api.py` mounts them and installs what is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import AfterValidator
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.errors import Retryable

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 512 * 1024
MAX_QUERY_BYTES = 16 * 1024


class Problem(Exception):
    """An answer other than success; becomes an `application/problem+json` body."""

    def __init__(
        self, status: int, title: str | None = None, detail: str | None = None, **extra: Any
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.extra = extra
        #: What `WWW-Authenticate` asks for with a 401 (RFC 9110, section 11.6.1).
        self.challenge = "Bearer"


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """The response for one problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        **problem.extra,
    }
    if problem.detail:
        body["detail"] = problem.detail
    return Response(orjson.dumps(body), problem.status, headers, "application/problem+json")


def _printable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("NUL characters are not allowed")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("not valid Unicode text") from error
    return value


#: Of a string: that PostgreSQL can store it. Put it behind a `Field` with a pattern, or OpenAPI lacks the pattern.
Printable = AfterValidator(_printable)
#: A string that PostgreSQL can store: no NUL characters, no lone surrogates.
Text = Annotated[str, Printable]


class RequestLimits:
    """ASGI middleware: 413 to bodies over `limit` bytes, announced or not; 414 to queries that nobody types."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, counting the bytes of its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            too_long = Problem(414, detail=f"The query may have at most {MAX_QUERY_BYTES} bytes.")
            await problem_response(too_long)(scope, receive, send)
            return
        too_large = Problem(413, detail=f"The body may have at most {self.limit} bytes.")
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.limit:
            await problem_response(too_large)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise HTTPException(
                    413, too_large.detail
                )  # the one kind that FastAPI lets through while parsing
            return message

        await self.app(scope, counted, send)


def _methods(request: Request) -> set[str]:
    """Every method of this path: each is a route of its own, and Starlette names those of the first alone."""
    return {
        method.upper()
        for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.url.path)
        for method in operations
    }


def _in_words(fault: Mapping[str, Any]) -> str:
    """What is wrong with a field; pydantic calls the letters of a text that was looked through before "items"."""
    message = str(fault["msg"])
    of_letters = fault["type"] in {"too_short", "too_long"} and isinstance(fault["input"], str)
    return message.replace(" item", " character") if of_letters else message


def install_error_handlers(app: FastAPI) -> None:
    """Turn every exception into problem details; a stack trace goes to the log and never to the client."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, error: Problem) -> Response:
        return problem_response(error, {"WWW-Authenticate": error.challenge} if error.status == 401 else None)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_methods(request))) or headers.get("Allow", "")
        return problem_response(Problem(error.status_code, detail=str(error.detail)), headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [
            {"field": ".".join(str(part) for part in fault["loc"]), "problem": _in_words(fault)}
            for fault in error.errors()
        ]
        malformed = any(fault["type"] == "json_invalid" for fault in error.errors())
        return problem_response(Problem(400 if malformed else 422, "The request is not valid", errors=faults))

    @app.exception_handler(Retryable)
    async def on_retryable(_: Request, error: Retryable) -> Response:
        log.warning("dependency_unavailable", error=str(error))
        return problem_response(
            Problem(503, detail="The database cannot be reached right now."), {"Retry-After": "1"}
        )

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        log.error("unhandled_error", path=request.url.path, exc_info=error)
        return problem_response(Problem(500))
