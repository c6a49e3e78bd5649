"""The OpenAPI document as it is: every operation may answer with problem details (RFC 9457).

FastAPI documents a body of its own for 422, which no route of ours gives; what a route gives when all is well is
documented by its types.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

PROBLEM_SCHEMA: Final = {
    "title": "Problem",
    "description": "Problem details for HTTP APIs (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "description": "What is wrong with which field of the request.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
_PROBLEM: Final = {
    "description": "It did not work; the body says why.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_OF_FASTAPI: Final = ("HTTPValidationError", "ValidationError")


class Api(FastAPI):
    """FastAPI with the errors that `runtime/http.py` answers in its document."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        made = self.openapi_schema is not None
        document = super().openapi()
        if not made:
            _document_problems(document)
        return document


def _document_problems(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _OF_FASTAPI:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _PROBLEM
