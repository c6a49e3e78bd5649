"""A source and the columns that are really there, as SQL: the trigger functions, the triggers, the truth function.

Pure: no connection. One expression builds a payload, whether a trigger holds the row or a fill reads it, so both
always tell the same. A column that is missing is left out; one that no list names is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from psycopg import sql

from outbox.capture.columns import Table
from outbox.capture.sources import Source

Policy = Literal["abort", "warn"]

#: What stands on a captured table.
TRIGGERS: Final = ("00_stunity_row", "00_stunity_update", "00_stunity_columns", "00_stunity_truncate")

_SQL: Final = Path(__file__).parent / "sql"
#: A function takes a hundred arguments: fifty pairs.
_PAIRS: Final = 45
#: Columns that seldom hold a value are looked at so many at a time.
_SELDOM: Final = 8
_ISO: Final = sql.SQL("""'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'""")
#: Types without an equality operator are compared as text.
_NO_EQUALITY: Final = frozenset({"json", "xml", "point", "polygon", "box", "path"})


class Unusable(Exception):
    """The table lacks a column without which its rows cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What `install` executes for one table. `functions` can be replaced under load, `triggers` take a table lock."""

    functions: tuple[sql.Composed, ...]
    triggers: sql.Composed
    columns: tuple[str, ...]
    digest: str


def build(source: Source, table: Table, policy: Policy, related: Mapping[str, Table]) -> Statements:
    """All statements of one table.

    Raises:
        Unusable: the primary key or the event key is missing.
    """
    missing = [name for name in ("id", source.key) if name not in table.columns]
    if missing:
        raise Unusable(f"public.{source.table} has no column {' and '.join(missing)}")
    writer = _Writer(source, table, related)
    triggers = writer.triggers()
    return Statements(
        functions=(writer.function(policy), writer.truncate_function(policy), writer.truth_function()),
        triggers=triggers,
        columns=tuple(sorted(writer.captured.values())),
        digest=hashlib.sha256(triggers.as_string(None).encode()).hexdigest(),
    )


def drop(source: Source) -> tuple[sql.Composed, sql.Composed]:
    """What takes the triggers off a table, and what removes their functions afterwards."""
    table = sql.Identifier("public", source.table)
    triggers = sql.SQL("; ").join(
        sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(name), table) for name in TRIGGERS
    )
    functions = sql.SQL("; ").join(
        sql.SQL("DROP FUNCTION IF EXISTS {}()").format(name) for name in _function_names(source)[:2]
    )
    return triggers, functions


class _Writer:
    """Composes the templates of one table."""

    def __init__(self, source: Source, table: Table, related: Mapping[str, Table]) -> None:
        self.source = source
        self.types = table.columns
        self.filled = table.filled
        self.rewritten = table.rewritten
        self.owned = table.owned
        self.captured = {name: column for name, column in source.payload.items() if column in self.types}
        self.lookups = {
            name: lookup
            for name, lookup in source.lookups.items()
            if lookup.by in self.types
            and lookup.table in related
            and {"id", lookup.column} <= related[lookup.table].columns.keys()
        }
        self._names = {
            "topic": sql.Literal(source.topic),
            "created": sql.Literal(source.created),
            "deleted": sql.Literal(source.deleted),
            "key": sql.Identifier(source.key),
            "table": sql.Identifier("public", source.table),
        }
        self._function, self._truncate, self._truth = _function_names(source)

    def function(self, policy: Policy) -> sql.Composed:
        """The row trigger's function."""
        updated = self.source.updated
        key, created = self._names["key"], self.payload("NEW")
        same = sql.SQL("OLD.id = NEW.id AND OLD.{key} = NEW.{key}").format(key=key)
        return _template("function").format(
            **self._names,
            function=self._function,
            updated=sql.Literal(updated or self.source.created),
            changed=self._changed(),
            same=same if updated else sql.SQL("false"),
            new=created,
            gone=self.gone("OLD"),
            on_error=self._on_error(policy, "on_error_warn"),
        )

    def truncate_function(self, policy: Policy) -> sql.Composed:
        """The function of the statement trigger."""
        on_error = self._on_error(policy, "on_truncate_error_warn")
        return _template("truncate_function").format(
            **self._names, function=self._truncate, gone=self.gone("r"), on_error=on_error
        )

    def truth_function(self) -> sql.Composed:
        """The function that `outbox.truth_events` calls."""
        kind = self.types.get(self.source.written_at)
        column = sql.Identifier("r", self.source.written_at)
        written_at: sql.Composable = sql.SQL("clock_timestamp()")
        if kind == "timestamptz":
            written_at = column
        elif kind == "timestamp":
            written_at = sql.SQL("{} AT TIME ZONE 'UTC'").format(column)
        return _template("truth_function").format(
            **self._names, function=self._truth, payload=self.payload("r"), written_at=written_at
        )

    def triggers(self) -> sql.Composed:
        """The triggers; on a table of our own they fire for every session, replica roles included."""
        columns = sql.SQL(", ").join(map(sql.Identifier, self._compared()))
        made = _template("triggers").format(
            **self._names,
            function=self._function,
            truncate_function=self._truncate,
            columns=columns,
            of_columns=sql.SQL("") if self.rewritten else sql.SQL("OF {}").format(columns),
        )
        return made + _template("triggers_always").format(**self._names) if self.owned else made

    def payload(self, row: str) -> sql.Composed:
        """The event's data, built from the columns of `row`; what is NULL is left out.

        jsonb_build_object costs as much for a NULL as for a value, so columns that seldom hold one are skipped
        together: of a post's 46 columns most belong to other kinds of posts.
        """
        often = {
            **{
                name: self._value(row, column)
                for name, column in self.captured.items()
                if column in self.filled
            },
            **{name: sql.Literal(value) for name, value in self.source.constants.items()},
            **{name: self._lookup(row, name) for name in self.lookups},
        }
        seldom = [name for name, column in self.captured.items() if column not in self.filled]
        groups = [self._unless_empty(row, names) for names in _chunks(seldom, _SELDOM)]
        return _stripped([*_objects(often), *groups])

    def gone(self, row: str) -> sql.Composed:
        """The data of a deletion."""
        wanted = self.source.in_deleted or tuple(self.captured)
        values: dict[str, sql.Composable] = {
            name: self._value(row, column) for name, column in self.captured.items() if name in wanted
        }
        values |= {name: sql.Literal(value) for name, value in self.source.deleted_constants.items()}
        return _stripped([*_objects(values)])

    def _unless_empty(self, row: str, names: Sequence[str]) -> sql.Composed:
        """These columns as an object, which is not even built when all of them are NULL."""
        columns = [self.captured[name] for name in names]
        return sql.SQL("CASE WHEN num_nonnulls({}) = 0 THEN '{{}}' ELSE {} END").format(
            sql.SQL(", ").join(sql.Identifier(row.lower(), column) for column in columns),
            _built({name: self._value(row, column) for name, column in zip(names, columns, strict=True)}),
        )

    def _value(self, row: str, column: str) -> sql.Composable:
        value = sql.Identifier(row.lower(), column)
        match self.types[column]:
            case "timestamp":
                return sql.SQL("to_char({}, {})").format(value, _ISO)
            case "timestamptz":
                return sql.SQL("to_char({} AT TIME ZONE 'UTC', {})").format(value, _ISO)
        return value

    def _lookup(self, row: str, name: str) -> sql.Composed:
        lookup = self.lookups[name]
        return sql.SQL("(SELECT o.{} FROM {} o WHERE o.id = {})").format(
            sql.Identifier(lookup.column),
            sql.Identifier("public", lookup.table),
            sql.Identifier(row.lower(), lookup.by),
        )

    def _compared(self) -> list[str]:
        return [*self.captured.values(), *(column for column in self.source.watched if column in self.types)]

    def _changed(self) -> sql.Composed:
        return sql.SQL(" OR ").join(map(self._differs, self._compared()))

    def _differs(self, column: str) -> sql.Composed:
        cast_to_text = sql.SQL("::text" if self.types[column] in _NO_EQUALITY else "")
        return sql.SQL("OLD.{0}{1} IS DISTINCT FROM NEW.{0}{1}").format(sql.Identifier(column), cast_to_text)

    def _on_error(self, policy: Policy, name: str) -> sql.Composable:
        return sql.SQL("") if policy == "abort" else _template(name).format(key=self._names["key"])


def _function_names(source: Source) -> tuple[sql.Identifier, sql.Identifier, sql.Identifier]:
    prefixes = ("capture_", "capture_truncate_", "truth_")
    row, truncate, truth = (sql.Identifier("outbox", prefix + source.table) for prefix in prefixes)
    return row, truncate, truth


def _built(values: Mapping[str, sql.Composable]) -> sql.Composed:
    pairs = [sql.SQL("{}, {}").format(sql.Literal(name), value) for name, value in values.items()]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))


def _objects(values: Mapping[str, sql.Composable]) -> list[sql.Composed]:
    """As few objects as the number of a function's arguments allows."""
    return [_built({name: values[name] for name in names}) for names in _chunks([*values], _PAIRS)]


def _stripped(objects: Sequence[sql.Composed]) -> sql.Composed:
    return sql.SQL("jsonb_strip_nulls({})").format(sql.SQL(" || ").join(objects))


def _chunks(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _template(name: str) -> sql.SQL:
    """A template of our own; everything that is filled in is quoted by psycopg."""
    return sql.SQL((_SQL / f"{name}.sql").read_text(encoding="utf-8"))
