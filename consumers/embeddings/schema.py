"""What the embeddings view is made of: kinds of documents, the model's name, embeddings. Types only.

Which text a row has is `text.py`; the tables are in `migrations/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

#: Job names: asked for by the projection, done by `jobs.py`.
EMBED: Final = "embeddings.embed"
INTERESTS: Final = "embeddings.interests"
PRUNE: Final = "embeddings.prune"
#: Their queue, so that machines can be set aside for them.
QUEUE: Final = "embeddings"

#: Raised when `text.py` composes texts differently: all vectors are made anew, beside the old ones.
TEXT_RECIPE: Final = 1


class Kind(StrEnum):
    """What a document stands for. A quiz has its post's id, a profile its user's."""

    POST = "post"
    QUIZ = "quiz"
    COURSE = "course"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class Model:
    """A model, and all that changes its vectors: two models with one name give the same vector for a text."""

    source: str
    dimension: int
    passage_prefix: str = ""
    query_prefix: str = ""

    @property
    def name(self) -> str:
        """Under which its vectors are kept. The backend is no part of it: the same weights run here or elsewhere."""
        base = self.source.rstrip("/").rsplit("/", 1)[-1]
        prefixes = (
            f"+{self.passage_prefix}|{self.query_prefix}" if self.passage_prefix or self.query_prefix else ""
        )
        return f"{base}/{self.dimension}/t{TEXT_RECIPE}{prefixes}"

    def prefix(self, kind: Kind) -> str:
        """What the model wants before a text of this kind."""
        return self.query_prefix if kind is Kind.PROFILE else self.passage_prefix


#: Kind and id.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch of events is about: things whose text may have changed, people whose interests have."""

    posts: Sequence[str] = ()
    courses: Sequence[str] = ()
    users: Sequence[str] = ()
    engaged: Sequence[str] = ()
    refill: bool = False

    def keys(self) -> set[Key]:
        """The documents that there may be."""
        return {
            *((kind, post) for post in self.posts for kind in (Kind.POST, Kind.QUIZ)),
            *((Kind.COURSE, course) for course in self.courses),
            *((Kind.PROFILE, user) for user in self.users),
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose texts the backend may see: a model in this house all but private posts, an API no restricted ones."""

    visibilities: Sequence[str]
    profiles: Sequence[str]

    @classmethod
    def inside(cls) -> Policy:
        """For a model of our own."""
        return cls(("PUBLIC", "SCHOOL", "CLASS"), ("PUBLIC", "SCHOOL", "CLASS", "PRIVATE"))

    @classmethod
    def outside(cls, *, share_class_posts: bool) -> Policy:
        """For an external API."""
        return cls(("PUBLIC", "SCHOOL", *(["CLASS"] if share_class_posts else [])), ("PUBLIC", "SCHOOL"))


@dataclass(frozen=True, slots=True)
class Document:
    """The text that a thing has now; `digest` is the text's SHA-256."""

    kind: Kind
    id: str
    text: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of a text. Not `readable`: the model does not know the script, so the vector says nothing."""

    vector: Vector
    readable: bool = True


def to_text(vector: Vector) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(f"{value:.6g}" for value in vector.tolist()) + "]"


def from_binary(data: bytes) -> Vector:
    """A vector from what `halfvec_send` gives: two 16-bit numbers (length, unused), then 16-bit floats."""
    return np.frombuffer(data, dtype=">f2", offset=4).astype(np.float32)
