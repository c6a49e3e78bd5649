"""The WHERE and the weight of a fallback query, put together from fixed expressions and numbered parameters. Pure.

Every term of a query has to be somewhere in a row; a row weighs by the best place that each term is in, with the
weights of the index. Column expressions are constants (`sql/fields.sql`); what a user typed is only ever a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

from consumers.search.patterns import loose, substrings, tag_variants, word_pattern
from consumers.search.schema import Kind
from consumers.search.text import is_khmer
from runtime.statements import load


class Place(Enum):
    """How an expression is searched."""

    TEXT = "text"
    TAGS = "tags"
    AUTHOR = "author"


class Field(NamedTuple):
    """One place that a term may be in."""

    expression: str
    weight: int
    place: Place = Place.TEXT
    suggests: bool = False


#: Shorter words are like too many others. Letters.
_LEAST_SIMILAR: Final = 4

_SQL: Final = load(Path(__file__).parent / "sql" / "fields.sql")
AUTHOR_NAMES: Final = _SQL["user_names"]

FIELDS: Final[dict[Kind, tuple[Field, ...]]] = {
    "posts": (
        Field("p.title", 8, suggests=True),
        Field('p."topicTags"', 6, Place.TAGS, suggests=True),
        Field('p."authorId"', 4, Place.AUTHOR),
        Field("p.content", 2),
    ),
    "users": (
        Field(_SQL["user_names"], 8, suggests=True),
        Field("u.username", 6, suggests=True),
        Field("u.interests || u.skills", 2, Place.TAGS),
        Field(_SQL["user_about"], 2),
    ),
    "clubs": (
        Field("c.name", 8, suggests=True),
        Field("c.tags", 6, Place.TAGS),
        Field(_SQL["club_subjects"], 6),
        Field("c.description", 2),
    ),
    "courses": (
        Field(_SQL["course_titles"], 8, suggests=True),
        Field("k.tags", 6, Place.TAGS),
        Field(_SQL["course_subjects"], 6),
        Field(_SQL["course_instructor"], 4),
        Field(_SQL["course_descriptions"], 2),
    ),
}


@dataclass(slots=True)
class Conditions:
    """Conditions of one query; `params` grows with what they need."""

    terms: Sequence[str]
    loosely: bool = False
    similar: bool = False
    any_term: bool = False
    params: dict[str, Any] = field(default_factory=dict)

    def matches(self, fields: Sequence[Field], authors: Sequence[Sequence[str]] = ()) -> str:
        """Every term (with `any_term`, one of them) is in one of these fields."""
        self._add_params(authors)
        places = [
            " OR ".join(self._is_in(one, number) for one in fields) for number in range(len(self.terms))
        ]
        return f"({(') OR (' if self.any_term else ') AND (').join(places)})"

    def weight(self, fields: Sequence[Field]) -> str:
        """The sum of each term's best place; call it after `matches`."""
        ranked = sorted(fields, key=lambda one: -one.weight)
        parts = []
        for number in range(len(self.terms)):
            cases = " ".join(f"WHEN {self._is_in(one, number)} THEN {one.weight}" for one in ranked)
            parts.append(f"CASE {cases} ELSE 0 END")
            if self.similar:
                parts.append(f"word_similarity(%(term{number})s, coalesce({ranked[0].expression}, ''))")
        return " + ".join(parts)

    def text_matches(self, expression: str, number: int) -> str:
        """One term is in one text."""
        term = self.terms[number]
        if self.loosely:
            exactly = f"{expression} ~* %(loose{number})s"
            if not self.similar or len(term) < _LEAST_SIMILAR:
                return exactly
            if is_khmer(term):
                return f"({exactly} OR %(term{number})s <%% {expression})"
            # One slip leaves one half of a word as it was. An index finds halves; likeness has to be measured.
            halves = f"{expression} ILIKE %(begin{number})s OR {expression} ILIKE %(end{number})s"
            return f"(({halves}) AND %(term{number})s <%% {expression})"
        if not is_khmer(term):
            return f"{expression} ~* %(word{number})s"
        spellings = range(len(substrings(term)))
        return f"({' OR '.join(f'{expression} ILIKE %(part{number}_{one})s' for one in spellings)})"

    def _is_in(self, one: Field, number: int) -> str:
        match one.place:
            case Place.TAGS:
                return f"{one.expression} && %(tags{number})s::text[]"
            case Place.AUTHOR:
                return f"{one.expression} = ANY (%(authors{number})s::text[])"
            case Place.TEXT:
                return self.text_matches(one.expression, number)

    def _add_params(self, authors: Sequence[Sequence[str]]) -> None:
        whole = tag_variants(self.terms)
        for number, term in enumerate(self.terms):
            self.params |= {
                f"term{number}": term,
                f"loose{number}": loose(term),
                f"begin{number}": f"%{term[: len(term) // 2]}%",
                f"end{number}": f"%{term[len(term) // 2 :]}%",
                f"word{number}": word_pattern(term),
                f"tags{number}": whole if len(self.terms) > 1 else tag_variants([term]),
                f"authors{number}": list(authors[number]) if number < len(authors) else [],
            }
            self.params |= {f"part{number}_{at}": part for at, part in enumerate(substrings(term))}
