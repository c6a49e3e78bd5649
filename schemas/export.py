"""The contracts for people who do not read Python: a JSON Schema per event type, and one AsyncAPI 3 document.

Pure: gives texts, writes nothing. `stunity schemas generate` puts them into `schemas/generated/`, `schemas check`
compares.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from schemas.base import Payload
from schemas.envelope import dataschema
from schemas.registry import REGISTRY, Registry
from schemas.topics import TOPICS, topic_of

Document = dict[str, Any]

ASYNCAPI_FILE: Final = "asyncapi.json"

#: CloudEvents 1.0 attribute → where it is found in a stream entry (schemas/wire.py) and in outbox.events.
CLOUDEVENTS: Final = {
    "id": "field i, column id (as text)",
    "source": "always urn:stunity:outbox",
    "specversion": "always 1.0",
    "type": "field t, column type",
    "subject": "field k, column key",
    "time": "field o, column occurred_at",
    "dataschema": "urn:stunity:event: followed by the type; the $id of its JSON Schema",
    "datacontenttype": "always application/json",
    "data": "field d, column data",
    "traceparent": "headers.traceparent (field h, column headers); left out when unknown",
    "school": "headers.school, else data.schoolId; left out when neither is there",
}

_ENTRY_FIELDS: Final = {
    "n": "Dense number of the entry within its stream.",
    "i": "Outbox id: within an epoch, a larger one of the same key is newer.",
    "x": "Transaction id (xid8).",
    "o": "When it was written, as PostgreSQL prints it in UTC.",
    "t": "Event type with version.",
    "k": "Key: order holds within a key.",
    "h": "Headers as JSON, left out when empty.",
}


class _Untitled(GenerateJsonSchema):
    """Without a title per field: it would only repeat the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def file_name(event_type: str) -> str:
    """Where the JSON Schema of a type stands."""
    return f"{event_type}.json"


def json_schema(model: type[Payload]) -> Document:
    """The JSON Schema (2020-12) of a payload."""
    schema = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Untitled)
    schema.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": dataschema(model.event_type),
        "title": model.event_type,
        **schema,
    }


def asyncapi(registry: Registry = REGISTRY) -> Document:
    """What is on which stream."""
    types = sorted(model.event_type for model in registry)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Stunity events",
            "version": "1.0.0",
            "description": (
                "Events of a school network, from committed rows of PostgreSQL. One Redis stream per topic and "
                "partition; entries hold the fields of the message headers and the payload as JSON in field d. "
                "Control entries (field c: marker, gap, end) stand between them and are skipped by readers who "
                "only want events. The payload is the `data` of a CloudEvents 1.0 event, mapped as in "
                "x-cloudevents."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {"redis": {"host": "localhost:6379", "protocol": "redis", "description": "REDIS_URL."}},
        "channels": {topic: _channel(topic, types) for topic in TOPICS},
        "operations": {f"publish_{topic}": _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {event_type: _message(registry.model(event_type)) for event_type in types},
            "schemas": {"entry": _entry_schema()},
        },
        "x-cloudevents": CLOUDEVENTS,
    }


def files(registry: Registry = REGISTRY) -> dict[str, str]:
    """Every generated file: name → text."""
    documents = {file_name(model.event_type): json_schema(model) for model in registry}
    documents[ASYNCAPI_FILE] = asyncapi(registry)
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }


def _channel(topic: str, types: list[str]) -> Document:
    mine = [event_type for event_type in types if topic_of(event_type) == topic]
    return {
        "address": f"{{prefix}}:{{epoch}}:{topic}:{{slot}}",
        "parameters": {
            "prefix": {"description": "STREAM_PREFIX.", "default": "stunity"},
            "epoch": {"description": "Number of the epoch; the last entry of an old one names the next."},
            "slot": {
                "description": "The partition in braces, as in {0}: all topics of one share a hash slot."
            },
        },
        "messages": {event_type: {"$ref": f"#/components/messages/{event_type}"} for event_type in mine},
    }


def _operation(topic: str) -> Document:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}}


def _message(model: type[Payload]) -> Document:
    return {
        "name": model.event_type,
        "summary": (model.__doc__ or "").strip().splitlines()[0],
        "headers": {"$ref": "#/components/schemas/entry"},
        "payload": {"$ref": f"./{file_name(model.event_type)}"},
    }


def _entry_schema() -> Document:
    return {
        "type": "object",
        "required": ["n", "i", "x", "o", "t", "k"],
        "properties": {name: {"type": "string", "description": text} for name, text in _ENTRY_FIELDS.items()},
    }
