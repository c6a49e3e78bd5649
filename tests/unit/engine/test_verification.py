"""Two looks, and buckets: pure parts of comparing a view with the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.engine.comparison import BUCKETS, Item, Selection, bucket_of, compare_sides, digest_of
from consumers.engine.verification import MOST_LOOKS, Fault, Key, Look, Wrong, confirm

A, B = Key("posts", "a"), Key("posts", "b")


class Script:
    """What each look sees, one after the other; and whether the view passes."""

    def __init__(self, *looks: Mapping[Key, Fault], passes: Iterable[bool] = ()) -> None:
        self._looks = list(looks)
        self._passes = [*passes]
        self.asked: list[set[Key] | None] = []

    async def look(self, only: Collection[Key] | None) -> Look:
        self.asked.append(None if only is None else set(only))
        return Look(10, dict(self._looks.pop(0) if self._looks else {}))

    async def settle(self) -> bool:
        return self._passes.pop(0) if self._passes else True


def stale(wanted: int) -> Fault:
    return Fault(Wrong.STALE, wanted)


async def test_what_is_gone_in_the_second_look_was_on_its_way() -> None:
    script = Script({A: stale(1), B: stale(2)}, {B: stale(2)})
    found = await confirm("v", script.look, script.settle)
    assert found.stale == {B}
    assert script.asked == [None, {A, B}]
    assert found.compared == 10
    assert not found.equal


async def test_what_the_truth_changed_between_looks_is_looked_at_again() -> None:
    script = Script({A: stale(1)}, {A: stale(2)}, {A: stale(2)})
    found = await confirm("v", script.look, script.settle)
    assert found.stale == {A}
    assert script.asked == [None, {A}, {A}]


async def test_what_never_stands_still_is_unsettled() -> None:
    script = Script(*({A: stale(number)} for number in range(50)))
    found = await confirm("v", script.look, script.settle)
    assert found.unsettled == {A}
    assert found.count == 0
    assert not found.equal
    assert len(script.asked) == 1 + MOST_LOOKS


async def test_a_view_that_does_not_follow_is_judged_of_nothing() -> None:
    script = Script({A: stale(1)}, passes=[False])
    found = await confirm("v", script.look, script.settle)
    assert found.unsettled == {A}
    assert script.asked == [None]


async def test_a_view_that_stops_following_is_unsettled() -> None:
    script = Script({A: stale(1)}, {A: stale(1)}, passes=[True, False])
    assert (await confirm("v", script.look, script.settle)).unsettled == {A}


async def test_a_key_may_become_extra_of_stale() -> None:
    script = Script({A: stale(1)}, {A: Fault(Wrong.EXTRA)}, {A: Fault(Wrong.EXTRA)})
    assert (await confirm("v", script.look, script.settle)).extra == {A}


def side(items: Mapping[str, int], passed: list[Selection]) -> object:
    async def read(selection: Selection) -> AsyncIterator[Iterable[Item]]:
        passed.append(selection)
        chosen = [(key, value) for key, value in items.items() if selection.takes(key)]
        for start in range(0, len(chosen), 3):
            yield chosen[start : start + 3]

    return read


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.integers(0, 3)), st.dictionaries(st.text(), st.integers(0, 3)))
async def test_buckets_find_exactly_what_differs(wanted: dict[str, int], held: dict[str, int]) -> None:
    found = await compare_sides("p", side(wanted, []), side(held, []))  # type: ignore[arg-type]
    seen = {key.id: fault.wrong for key, fault in found.faults.items()}
    expected = {key: Wrong.MISSING for key in wanted if key not in held}
    expected |= {key: Wrong.EXTRA for key in held if key not in wanted}
    expected |= {key: Wrong.STALE for key in wanted if key in held and held[key] != wanted[key]}
    assert seen == expected


def network(count: int = 2000) -> dict[str, int]:
    return {f"key{number}": number for number in range(count)}


async def test_only_the_buckets_that_differ_are_read_again() -> None:
    wanted = network()
    truth: list[Selection] = []
    view: list[Selection] = []
    held = {**wanted, "key77": -1}
    found = await compare_sides("p", side(wanted, truth), side(held, view))  # type: ignore[arg-type]
    assert set(found.faults) == {Key("p", "key77")}
    assert truth == [Selection(), Selection(buckets=frozenset({bucket_of("key77")}))]
    there = frozenset(key for key in wanted if bucket_of(key) == bucket_of("key77"))
    assert view == [Selection(), Selection(ids=there)]
    assert found.compared == 2000


@pytest.mark.parametrize("lost", [set(), {"key77"}])
async def test_what_only_the_view_has_is_looked_for_when_its_count_says_so(lost: set[str]) -> None:
    wanted = network()
    view: list[Selection] = []
    held = {key: number for key, number in {**wanted, "stray": 1}.items() if key not in lost}
    found = await compare_sides("p", side(wanted, []), side(held, view))  # type: ignore[arg-type]
    assert {key.id for key in found.faults} == {"stray", *lost}
    assert view[-1].buckets is not None


async def test_many_differing_buckets_are_not_asked_for_key_by_key() -> None:
    view: list[Selection] = []
    wanted = network()
    await compare_sides("p", side(wanted, []), side(network(1800), view))  # type: ignore[arg-type]
    assert all(one.ids is None for one in view)


def test_a_digest_does_not_depend_on_the_order_of_members() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})
    assert 0 <= bucket_of("ក") < BUCKETS
