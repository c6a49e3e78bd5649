"""Comparing two large keyed sets without holding either: digests per bucket, then only the buckets that differ.

A side is a function that gives pages of (id, digest) for a selection. The first pass adds digests up per bucket, in
the memory of a few thousand numbers however large the view; the second reads the keys of differing buckets alone.
Where the digests come from is the views' business; whether a difference lasts is decided in `verification.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from consumers.engine.verification import Fault, Key, Look, Wrong

BUCKETS: Final = 4096
#: So few differing buckets have keys few enough to be asked for by name.
_FEW: Final = 64
#: The bucket of an id in SQL: the same as `bucket_of`. The placeholder is the id's expression.
BUCKET_SQL: Final = "('x' || left(md5({}), 3))::bit(12)::int"

Item = tuple[str, int]
_WRAP: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Selection:
    """Which keys are wanted: all, those of some buckets, or just these."""

    buckets: frozenset[int] | None = None
    ids: frozenset[str] | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.buckets is None and self.ids is None

    def takes(self, key: str) -> bool:
        """Whether a key is wanted."""
        if self.ids is not None:
            return key in self.ids
        return self.buckets is None or bucket_of(key) in self.buckets

    def params(self) -> dict[str, list[int] | list[str] | None]:
        """Parameters `buckets` and `ids` for SQL; NULL where nothing is left out."""
        return {
            "buckets": None if self.buckets is None else sorted(self.buckets),
            "ids": None if self.ids is None else sorted(self.ids),
        }


Side = Callable[[Selection], AsyncIterator[Iterable[Item]]]


def bucket_of(key: str) -> int:
    """The bucket of an id."""
    return int(hashlib.md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:3], 16)


def digest_of(value: object) -> int:
    """A number that stands for a JSON value; the order of its members does not matter."""
    return digest_of_bytes(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def digest_of_bytes(data: bytes) -> int:
    """A number that stands for these bytes."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


async def compare_sides(part: str, wanted: Side, held: Side, only: Collection[Key] | None = None) -> Look:
    """Where two sides differ; `only` restricts it to these keys of the part (others are passed over)."""
    if only is not None:
        ids = frozenset(key.id for key in only if key.part == part)
        return await _compare_keys(part, wanted, held, Selection(ids=ids)) if ids else Look()
    sums = await asyncio.gather(_sums(wanted), _sums(held))
    differing = frozenset(
        bucket for bucket in {*sums[0], *sums[1]} if sums[0].get(bucket) != sums[1].get(bucket)
    )
    compared = max(sum(count for count, _ in one.values()) for one in sums)
    if not differing:
        return Look(compared)
    if len(differing) > BUCKETS // 4:
        found = await _compare_keys(part, wanted, held, Selection())
    elif len(differing) > _FEW:
        found = await _compare_keys(part, wanted, held, Selection(buckets=differing))
    else:
        count = sum(sums[1][bucket][0] for bucket in differing if bucket in sums[1])
        found = await _compare_few(part, wanted, held, differing, count)
    return Look(compared, found.faults)


async def _sums(side: Side) -> dict[int, tuple[int, int]]:
    """Per bucket how many keys, and the sum of what stands for each."""
    counts, totals = [0] * BUCKETS, [0] * BUCKETS
    async for page in side(Selection()):
        for key, digest in page:
            bucket = bucket_of(key)
            counts[bucket] += 1
            totals[bucket] = (totals[bucket] + digest_of_bytes(b"%d %b" % (digest, key.encode()))) % _WRAP
    return {bucket: (counts[bucket], totals[bucket]) for bucket in range(BUCKETS) if counts[bucket]}


async def _compare_few(part: str, wanted: Side, held: Side, buckets: frozenset[int], count: int) -> Look:
    """Ask the view for the keys of the truth. Only when these are not all that it has, look for its others.

    For some views finding the keys of a bucket means going through all of them, as long as the first pass took.
    """
    wanted_items = await _items(wanted, Selection(buckets=buckets))
    held_items = await _items(held, Selection(ids=frozenset(wanted_items)))
    if len(held_items) != count:
        return await _compare_keys(part, wanted, held, Selection(buckets=buckets))
    return Look(len(wanted_items), dict(faults_of(part, wanted_items, held_items)))


async def _compare_keys(part: str, wanted: Side, held: Side, selection: Selection) -> Look:
    # The view first: a row that is written in between is then seen as missing and looked at again, not missed.
    held_items = await _items(held, selection)
    wanted_items = await _items(wanted, selection)
    return Look(max(len(held_items), len(wanted_items)), dict(faults_of(part, wanted_items, held_items)))


async def _items(side: Side, selection: Selection) -> dict[str, int]:
    return {key: digest async for page in side(selection) for key, digest in page}


def faults_of(part: str, wanted: Mapping[str, int], held: Mapping[str, int]) -> Iterable[tuple[Key, Fault]]:
    """The keys at which two sides differ, and how."""
    for key, digest in wanted.items():
        if key not in held:
            yield Key(part, key), Fault(Wrong.MISSING, digest)
        elif held[key] != digest:
            yield Key(part, key), Fault(Wrong.STALE, digest)
    for key in held:
        if key not in wanted:
            yield Key(part, key), Fault(Wrong.EXTRA)
