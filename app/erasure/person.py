"""What mentions a person, and what an event becomes without them. Pure.

An id mentions the person where it stands for itself, not inside a longer word: `anna` is not in `savannah`. A redacted
event replays cleanly: it is valid by its schema, and its effect on any view is that of the truth without the person.
What was theirs (profile, posts, clubs, courses) becomes the deletion of itself; what they did to others' things keeps
its id and time, and nobody did it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

#: Stands where an erased person stood, the same for all of them, so that nothing of theirs can be put together again.
ERASED: Final = "erased"

_WORD: Final = "A-Za-z0-9_-"
#: Whose things they are: topic → the member of the payload that names the owner, and what remains of the payload.
_OWNED: Final = {
    "post": ("authorId", ("id", "schoolId")),
    "club": ("creatorId", ("id", "schoolId")),
    "course": ("instructorId", ("id",)),
}


@dataclass(frozen=True)
class Person:
    """Somebody who is to be erased, known by the id alone."""

    id: str

    @property
    def subject(self) -> bytes:
        """What the audit record keeps of the id."""
        return hashlib.sha256(self.id.encode("utf-8", "surrogatepass")).digest()

    @cached_property
    def _text(self) -> re.Pattern[str]:
        forms = dict.fromkeys(
            (self.id, json.dumps(self.id)[1:-1], json.dumps(self.id, ensure_ascii=False)[1:-1])
        )
        return re.compile(rf"(?<![{_WORD}])(?:{'|'.join(map(re.escape, forms))})(?![{_WORD}])")

    def is_in(self, text: str | bytes) -> bool:
        """Whether a text mentions the person."""
        found = text if isinstance(text, str) else text.decode("utf-8", "replace")
        return self._text.search(found) is not None

    def scrubbed(self, value: Any) -> Any:
        """A JSON value in which every text that mentions the person is replaced."""
        if isinstance(value, str):
            return ERASED if self.is_in(value) else value
        if isinstance(value, dict):
            return {self.scrubbed(name): self.scrubbed(one) for name, one in value.items()}
        return [self.scrubbed(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Entry:
    """What of an event is rewritten."""

    topic: str
    type: str
    key: str
    data: dict[str, Any]
    headers: dict[str, Any]

    def mentions(self, person: Person) -> bool:
        """Whether the person is anywhere in it."""
        return person.is_in(self.key) or person.is_in(
            json.dumps([self.data, self.headers], ensure_ascii=False)
        )

    def without(self, person: Person) -> Entry:
        """The entry as a redacted tombstone."""
        headers = person.scrubbed(self.headers)
        if self.topic == "user" and self.key == person.id:
            return Entry("user", "user.deleted.v1", ERASED, {"id": ERASED}, headers)
        owner, kept = _OWNED.get(self.topic, ("", ()))
        if owner and self.data.get(owner) == person.id:
            rest = {name: self.data[name] for name in kept if name in self.data}
            gone = person.scrubbed({"id": self.key, **rest})
            return Entry(self.topic, f"{self.topic}.deleted.v1", self.key, gone, headers)
        return Entry(self.topic, self.type, person.scrubbed(self.key), person.scrubbed(self.data), headers)
