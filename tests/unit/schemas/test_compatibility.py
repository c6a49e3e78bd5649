"""A published schema may grow optional fields. Everything else is found, and the check fails."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from schemas import export
from schemas.compatibility import breaking_changes
from schemas.envelope import Event
from schemas.registry import REGISTRY

Schemas = dict[str, Any]


@pytest.fixture
def published() -> Schemas:
    return {model.event_type: export.json_schema(model) for model in REGISTRY}


def add_optional(schemas: Schemas) -> None:
    schemas["post.created.v1"]["properties"]["mood"] = {"type": "string"}


def reword(schemas: Schemas) -> None:
    schemas["post.created.v1"]["description"] = "In other words."
    schemas["post.created.v1"]["properties"]["title"]["description"] = "New."


def add_type(schemas: Schemas) -> None:
    schemas["post.created.v2"] = copy.deepcopy(schemas["post.created.v1"])


@pytest.mark.parametrize("change", [add_optional, reword, add_type])
def test_growing_is_allowed(published: Schemas, change: Callable[[Schemas], None]) -> None:
    current = copy.deepcopy(published)
    change(current)
    assert breaking_changes(published, current) == []


def remove_type(schemas: Schemas) -> None:
    del schemas["post.created.v1"]


def remove_field(schemas: Schemas) -> None:
    del schemas["post.created.v1"]["properties"]["title"]


def rename_field(schemas: Schemas) -> None:
    properties = schemas["post.created.v1"]["properties"]
    properties["heading"] = properties.pop("title")


def require_new(schemas: Schemas) -> None:
    schemas["post.created.v1"]["properties"]["mood"] = {"type": "string"}
    schemas["post.created.v1"]["required"].append("mood")


def require_old(schemas: Schemas) -> None:
    schemas["post.created.v1"]["required"].append("title")


def no_longer_require(schemas: Schemas) -> None:
    schemas["like.created.v1"]["required"].remove("userId")


def retype(schemas: Schemas) -> None:
    schemas["post.counters_changed.v1"]["properties"]["likes"] = {"type": "string"}


def narrow(schemas: Schemas) -> None:
    schemas["post.created.v1"]["properties"]["id"]["maxLength"] = 10


def retype_nested(schemas: Schemas) -> None:
    schemas["live_quiz.completed.v1"]["$defs"]["LiveQuizRanking"]["properties"]["score"] = {"type": "string"}


def close(schemas: Schemas) -> None:
    schemas["post.created.v1"]["additionalProperties"] = False


@pytest.mark.parametrize(
    "change",
    [
        remove_type,
        remove_field,
        rename_field,
        require_new,
        require_old,
        no_longer_require,
        retype,
        narrow,
        retype_nested,
        close,
    ],
)
def test_breaking_is_found_and_named(published: Schemas, change: Callable[[Schemas], None]) -> None:
    current = copy.deepcopy(published)
    change(current)
    problems = breaking_changes(published, current)
    assert problems
    assert all(problem.split(":")[0] in published for problem in problems)


def test_the_generated_schemas_are_valid_and_fit_real_payloads(published: Schemas) -> None:
    for schema in published.values():
        Draft202012Validator.check_schema(schema)
    like = {"id": "l1", "at": "2026-08-01T02:30:05.120Z", "postId": "p1", "userId": "u1", "new": True}
    Draft202012Validator(published["like.created.v1"]).validate(like)


def test_asyncapi_points_at_every_type_once() -> None:
    document = json.loads(export.files()[export.ASYNCAPI_FILE])
    told = [name for channel in document["channels"].values() for name in channel["messages"]]
    assert sorted(told) == sorted(model.event_type for model in REGISTRY)
    assert {message["payload"]["$ref"] for message in document["components"]["messages"].values()} == {
        f"./{name}" for name in export.files() if name != export.ASYNCAPI_FILE
    }


def test_an_event_maps_to_cloudevents_as_documented() -> None:
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    moment = datetime(2026, 8, 1, 9, 30, 5, 120000, timezone(timedelta(hours=7)))
    data = {"id": "l1", "schoolId": "s1"}
    event = Event(17, 923, moment, "engagement", "like.created.v1", "p1", data, headers).to_cloudevent()
    assert event == {
        "specversion": "1.0",
        "id": "17",
        "source": "urn:stunity:outbox",
        "type": "like.created.v1",
        "subject": "p1",
        "time": "2026-08-01T02:30:05.120000Z",
        "dataschema": "urn:stunity:event:like.created.v1",
        "datacontenttype": "application/json",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "school": "s1",
        "data": {"id": "l1", "schoolId": "s1"},
    }
    assert event.keys() == export.CLOUDEVENTS.keys()
    assert event["dataschema"] == export.json_schema(REGISTRY.model("like.created.v1"))["$id"]
