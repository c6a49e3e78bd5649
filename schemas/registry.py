"""Every event type and version, its model, and the way from an old version to the newest.

A breaking change of a payload is a new version: the old model stays, an upcaster `vN → vN+1` is added, and readers
see only the newest. `compatibility.py` says what breaking means; `export.py` publishes the models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from schemas import clubs, courses, engagement, posts, quizzes, sessions, social, users
from schemas.base import Payload
from schemas.envelope import Event
from schemas.errors import MalformedEvent, UnknownEvent

Data = dict[str, Any]
Upcaster = Callable[[Data], Data]

_VERSIONED: Final = re.compile(r"^(?P<name>[a-z][a-z_]*\.[a-z][a-z_]*)\.v(?P<version>[1-9][0-9]*)$")


class Registry:
    """Event types → models; old versions → newer ones."""

    def __init__(
        self, models: Iterable[type[Payload]], upcasters: Mapping[str, Upcaster] | None = None
    ) -> None:
        self._models = {model.event_type: model for model in models}
        self._upcasters = dict(upcasters or {})
        self._newest: dict[str, int] = {}
        for event_type in self._models:
            name, version = _split(event_type)
            self._newest[name] = max(version, self._newest.get(name, 0))
        self._check_chains()

    def __iter__(self) -> Iterator[type[Payload]]:
        return iter(self._models.values())

    def model(self, event_type: str) -> type[Payload]:
        """The model of `post.created.v1`.

        Raises:
            UnknownEvent: this release does not know the type or version.
        """
        try:
            return self._models[event_type]
        except KeyError:
            raise UnknownEvent(f"unknown event type {event_type!r}") from None

    def newest(self, name: str) -> str:
        """The newest version of `post.created`; a type that names its version is returned as it is.

        Raises:
            UnknownEvent: this release does not know the type.
        """
        if name in self._models:
            return name
        if name not in self._newest:
            raise UnknownEvent(f"unknown event type {name!r}")
        return f"{name}.v{self._newest[name]}"

    def parse(self, event_type: str, data: Data) -> Payload:
        """The payload as its model.

        Raises:
            UnknownEvent: this release does not know the type or version.
            MalformedEvent: the payload does not fit.
        """
        try:
            return self.model(event_type).model_validate(data)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise MalformedEvent(f"{event_type}: {problems}") from None

    def upcast(self, event: Event) -> Event:
        """The event in the newest version of its type; one that this release does not know is left alone."""
        event_type, data = event.type, event.data
        while (step := self._upcasters.get(event_type)) is not None:
            name, version = _split(event_type)
            event_type, data = f"{name}.v{version + 1}", step(data)
        return event if event_type == event.type else replace(event, type=event_type, data=data)

    def _check_chains(self) -> None:
        for event_type in self._models:
            name, version = _split(event_type)
            old = version < self._newest[name]
            if old and (event_type not in self._upcasters or f"{name}.v{version + 1}" not in self._models):
                raise ValueError(f"no way from {event_type} to {name}.v{version + 1}")
        for event_type in self._upcasters.keys() - self._models.keys():
            raise ValueError(f"an upcaster for the unknown type {event_type}")


def _split(event_type: str) -> tuple[str, int]:
    found = _VERSIONED.match(event_type)
    if found is None:
        raise ValueError(f"not a versioned event type: {event_type!r}")
    return found["name"], int(found["version"])


AREAS: Final = (posts, users, social, engagement, clubs, courses, quizzes, sessions)

REGISTRY: Final = Registry(model for area in AREAS for model in area.PAYLOADS)
