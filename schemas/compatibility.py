"""May a published schema become this other one? Only by growing optional fields.

Old events stay in the log, so the new schema must read them; old readers are still running, so they must be able to
read new events. Anything else is a new version of the type, with an upcaster. Pure: documents in, sentences out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Words about a schema, not rules of it.
_ANNOTATIONS: Final = frozenset({"title", "description", "examples", "$comment", "$id", "$schema", "default"})

Document = Mapping[str, Any]


def breaking_changes(published: Mapping[str, Document], current: Mapping[str, Document]) -> list[str]:
    """What would break, one sentence each; `published` and `current` map event types to JSON Schemas."""
    problems = [f"{name}: the type was removed" for name in sorted(published.keys() - current.keys())]
    for name in sorted(published.keys() & current.keys()):
        problems += [f"{name}: {problem}" for problem in _object(published[name], current[name], "")]
        problems += _definitions(name, published[name], current[name])
    return problems


def _definitions(name: str, old: Document, new: Document) -> list[str]:
    before, after = old.get("$defs", {}), new.get("$defs", {})
    problems = []
    for part in sorted(before.keys() & after.keys()):
        problems += [f"{name}: {problem}" for problem in _object(before[part], after[part], f"{part}.")]
    return problems


def _object(old: Document, new: Document, path: str) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    problems = [f"{path}{field} was removed" for field in sorted(before.keys() - after.keys())]
    problems += [
        f"{path}{field} changed from {_rules(before[field])} to {_rules(after[field])}"
        for field in sorted(before.keys() & after.keys())
        if _rules(before[field]) != _rules(after[field])
    ]
    was, now = set(old.get("required", ())), set(new.get("required", ()))
    problems += [
        f"{path}{field} became required: events in the log do not have it" for field in sorted(now - was)
    ]
    problems += [
        f"{path}{field} is no longer required: readers rely on it"
        for field in sorted((was - now) & after.keys())
    ]
    rest_before, rest_after = (_rules(_without_fields(document)) for document in (old, new))
    if rest_before != rest_after:
        problems.append(f"{path or 'the whole'} changed from {rest_before} to {rest_after}")
    return problems


def _without_fields(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in {"properties", "required", "$defs"}}


def _rules(schema: Any) -> Any:
    """A schema without its annotations, which may change freely."""
    if isinstance(schema, Mapping):
        return {key: _rules(value) for key, value in sorted(schema.items()) if key not in _ANNOTATIONS}
    if isinstance(schema, list):
        return sorted((_rules(value) for value in schema), key=repr)
    return schema
