"""How fast an empty index is filled, against the import API alone with the same documents, serialised beforehand.

Serialised as the consumer does it: as UTF-8 an import is a tenth faster and loses letters (see `search/lines.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final

import httpx
import orjson

from app.bench.stage import Stage, is_live
from consumers.search import schema
from consumers.search.lines import line_of
from consumers.search.schema import KINDS, Document, Kind
from runtime.postgres import Connection

_PATIENCE: Final = 1_800.0
#: The raw import is tried with so many requests at a time; the faster one counts.
_IN_FLIGHT: Final = (1, 2)
_DOCUMENTS: Final = 1000


class NotIndexed(Exception):
    """The consumer did not fill the index, or could not begin."""


async def ours(stage: Stage, conn: Connection, http: httpx.AsyncClient) -> float:
    """Documents per second of `stunity consume search`, from the first document to the last."""
    deadline = perf_counter() + _PATIENCE
    started, before = None, 0
    with stage.process("consume", "search"):
        while True:
            there = sum((await counts(http)).values())
            if started is None and there:
                started, before = perf_counter(), there
            if await is_live(conn, "search") and started is not None:
                return (sum((await counts(http)).values()) - before) / (perf_counter() - started)
            if perf_counter() > deadline:
                raise NotIndexed(f"{there} documents after {_PATIENCE:.0f} s")
            await asyncio.sleep(0.1)


async def raw(http: httpx.AsyncClient, say: Callable[[str], None]) -> float:
    """Documents per second of the import API, into collections with the same fields."""
    bodies = {kind: _bodies([line_of(one) for one in await _export(http, kind)]) for kind in KINDS}
    rates = []
    for in_flight in _IN_FLIGHT:
        say(f"raw import, {in_flight} at a time …")
        rates.append(await _import(http, bodies, in_flight))
    return max(rates)


async def counts(http: httpx.AsyncClient) -> dict[str, int]:
    """Documents by collection."""
    answer = (await http.get("/collections")).raise_for_status().json()
    return {one["name"]: one["num_documents"] for one in answer if "checkpoint" not in one["name"]}


async def _export(http: httpx.AsyncClient, kind: Kind) -> list[Document]:
    path = f"/collections/{schema.alias('stunity', kind)}/documents/export"
    lines = (await http.get(path)).raise_for_status().content.split(b"\n")
    return [orjson.loads(line) for line in lines if line]


def _bodies(lines: Sequence[bytes]) -> list[bytes]:
    return [b"\n".join(lines[at : at + _DOCUMENTS]) for at in range(0, len(lines), _DOCUMENTS)]


async def _import(http: httpx.AsyncClient, bodies: dict[Kind, list[bytes]], in_flight: int) -> float:
    for kind in KINDS:
        definition: dict[str, Any] = schema.definition("raw", kind)
        await http.delete(f"/collections/{definition['name']}")
        (await http.post("/collections", content=orjson.dumps(definition))).raise_for_status()
    waiting = [(schema.collection("raw", kind), body) for kind in KINDS for body in bodies[kind]][::-1]
    documents = sum(body.count(b"\n") + 1 for _, body in waiting)

    async def work() -> None:
        while waiting:
            name, body = waiting.pop()
            path = f"/collections/{name}/documents/import"
            (await http.post(path, params={"action": "upsert"}, content=body)).raise_for_status()

    started = perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    seconds = perf_counter() - started
    for kind in KINDS:
        await http.delete(f"/collections/{schema.collection('raw', kind)}")
    return documents / seconds
