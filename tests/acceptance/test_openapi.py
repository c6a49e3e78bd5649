"""Every operation of the OpenAPI document, with requests made from it: no 5xx, and nothing that is not in it.

The requests come from schemathesis (property-based). One check of its is left out: it takes every request that fits
the schema for a good one, and a cursor that nobody gave out, or following oneself, does fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.checks import not_a_server_error as no_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from app.api import create_app
from runtime.settings import Settings
from tests.acceptance.conftest import Stack

CHECKS: list[CheckFunction] = [
    no_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
EXAMPLES = 8

document = create_app(Settings(_env_file=None, database_url="postgresql://nowhere")).openapi()
# A stream of events has no end, and a logout would be that of all other requests.
schema = schemathesis.openapi.from_dict(document).exclude(path=["/events/stream", "/auth/logout"])


@pytest.fixture(scope="module")
def teacher(stack: Stack) -> Iterator[httpx.Client]:
    """Somebody who may ask for most of it."""
    with stack.connect() as conn:
        [(user,)] = conn.execute(
            """SELECT id FROM users WHERE "isActive" AND "accountSuspendedAt" IS NULL AND role = 'TEACHER'
                ORDER BY id LIMIT 1"""
        ).fetchall()
    with stack.person(user) as client:
        yield client


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_document_holds(case: schemathesis.Case[Any], teacher: httpx.Client) -> None:
    headers = {"Authorization": teacher.headers["Authorization"]}
    case.call_and_validate(base_url=str(teacher.base_url), headers=headers, checks=CHECKS)
