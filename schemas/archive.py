"""Archived events: Parquet files of one day each, on any file system that fsspec reaches.

What a file looks like, how it is written and read, and nothing else: which days are archived and when is
`outbox/retention.py`, who reads them is `consumers/engine/replay/`. pyarrow is large, so it is imported when a file is
touched and not before; blocking, so callers use a thread.

    id int64, xid uint64, occurred_at timestamp[us, UTC], topic, type, key, data (JSON), headers (JSON), ordered by id
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from runtime.errors import ConfigurationError, Retryable
from schemas.envelope import Event

#: Rows of one row group: what a reader has in memory at once.
GROUP_ROWS: Final = 5000

_MISSING: Final = "archives need pyarrow: pip install 'stunity-pipeline[archive]'"


class Archive:
    """The files below one URL: `file:///…`, `s3://bucket/…`, `gs://…`, whatever fsspec has a driver for."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def writer(self, path: str) -> Writer:
        """Begin a file, which replaces one of that name as a whole when it is closed.

        Raises:
            Retryable: the storage cannot be reached.
            ConfigurationError: pyarrow or the driver is missing.
        """
        with _translated():
            return Writer(*self._place(path))

    def digest(self, path: str) -> tuple[int, str]:
        """How many events a file has, and their digest, read back from the storage."""
        digest, rows = hashlib.sha256(), 0
        arrow, _ = _pyarrow()
        for group in self.groups(path):
            rows += len(group)
            _table(arrow, group, digest)
        return rows, digest.hexdigest()

    def groups(self, path: str, after: int = 0) -> Iterator[list[Event]]:
        """The events of a file behind an id, a row group at a time.

        Raises:
            Retryable: the storage cannot be reached.
            ConfigurationError: pyarrow or the driver is missing.
        """
        _, parquet = _pyarrow()
        with _translated():
            files, place = self._place(path)
            with files.open(place, "rb") as file:
                source = parquet.ParquetFile(file)
                for number in range(source.num_row_groups):
                    if source.metadata.row_group(number).column(0).statistics.max <= after:
                        continue
                    rows = source.read_row_group(number).to_pylist()
                    yield [_event(row) for row in rows if row["id"] > after]

    def delete(self, path: str) -> None:
        """Remove a file, if it is there."""
        with _translated():
            files, place = self._place(path)
            if files.exists(place):
                files.rm(place)

    def _place(self, path: str) -> tuple[Any, str]:
        import fsspec

        try:
            files, root = fsspec.core.url_to_fs(self._url)
        except (ImportError, ValueError) as error:
            scheme = urlsplit(self._url).scheme
            raise ConfigurationError(f"ARCHIVE_URL: no driver for {scheme}://: {error}") from error
        return files, f"{root}/{path}"


class Writer:
    """One file that is being written. On a disk it gets its name when it is complete, as an object store does it."""

    def __init__(self, files: Any, place: str) -> None:
        self._files = files
        self._place = place
        self._arrow, parquet = _pyarrow()
        self._digest = hashlib.sha256()
        files.makedirs(place.rpartition("/")[0], exist_ok=True)
        self._file = files.open(f"{place}.unfinished", "wb")
        self._parquet = parquet.ParquetWriter(self._file, _schema(self._arrow), compression="zstd")
        self.rows = 0
        self.max_id = 0

    def add(self, events: list[Event]) -> None:
        """One row group, in the order of ids."""
        with _translated():
            self._parquet.write_table(_table(self._arrow, events, self._digest))
        self.rows += len(events)
        self.max_id = events[-1].id

    def close(self) -> str:
        """Complete the file; the digest of its events."""
        with _translated():
            self.give_up()
            self._files.mv(f"{self._place}.unfinished", self._place)
        return self._digest.hexdigest()

    def give_up(self) -> None:
        """Leave it unfinished; the next attempt writes over it."""
        self._parquet.close()
        self._file.close()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    text = arrow.string()
    return arrow.schema(
        [
            ("id", arrow.int64()),
            ("xid", arrow.uint64()),
            ("occurred_at", arrow.timestamp("us", tz="UTC")),
            ("topic", text),
            ("type", text),
            ("key", text),
            ("data", text),
            ("headers", text),
        ]
    )


def _table(arrow: Any, events: list[Event], digest: Any) -> Any:
    rows = [_row(event) for event in events]
    for row in rows:
        digest.update(orjson.dumps(list(row.values())))
    return arrow.Table.from_pylist(rows, schema=_schema(arrow))


def _row(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "xid": event.xid,
        "occurred_at": event.occurred_at.astimezone(UTC),
        "topic": event.topic,
        "type": event.type,
        "key": event.key,
        "data": orjson.dumps(event.data, option=orjson.OPT_SORT_KEYS).decode(),
        "headers": orjson.dumps(event.headers, option=orjson.OPT_SORT_KEYS).decode(),
    }


def _event(row: dict[str, Any]) -> Event:
    return Event(**{**row, "data": orjson.loads(row["data"]), "headers": orjson.loads(row["headers"])})


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Retryable(f"archive: {type(error).__name__}: {error}") from error
