"""Sets of people: adding is idempotent, taking out is exact, hours are told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumers.analytics.people import HOUR_BIT, DayOfPeople, mark

_MARKS = st.lists(st.tuples(st.integers(0, 24), st.integers(1, 60)), max_size=60)
_BIGGEST = (1 << HOUR_BIT) - 1


def day_of(pairs: list[tuple[int, int]]) -> DayOfPeople:
    made = DayOfPeople()
    made.add([mark(hour, person) for hour, person in pairs])
    return made


@given(_MARKS)
def test_a_day_is_the_people_of_its_hours(pairs: list[tuple[int, int]]) -> None:
    day = day_of([*pairs, *pairs])
    assert set(day.people) == {person for _, person in pairs}
    for hour in range(25):
        assert day.in_hour(hour) == len({person for at, person in pairs if at == hour})


@given(_MARKS, st.integers(-3, 26), st.integers(-3, 30))
def test_the_people_of_some_hours(pairs: list[tuple[int, int]], first: int, until: int) -> None:
    expected = {person for hour, person in pairs if first <= hour < until}
    assert set(day_of(pairs).between(first, until)) == expected


@given(_MARKS, st.integers(1, 60))
def test_who_is_taken_out_is_in_no_hour(pairs: list[tuple[int, int]], person: int) -> None:
    day = day_of(pairs)
    day.remove(person)
    rest = day_of([pair for pair in pairs if pair[1] != person])
    assert (set(day.people), set(day.by_hour)) == (set(rest.people), set(rest.by_hour))


@given(_MARKS)
def test_a_day_survives_being_stored(pairs: list[tuple[int, int]]) -> None:
    day = day_of(pairs)
    again = DayOfPeople(day.people.serialize(), day.by_hour.serialize())
    assert (again.people, again.by_hour) == (day.people, day.by_hour)


def test_the_largest_number_does_not_run_into_the_hours() -> None:
    day = day_of([(25, _BIGGEST), (0, _BIGGEST)])
    assert list(day.people) == [_BIGGEST]
    assert (day.in_hour(0), day.in_hour(24), day.in_hour(25)) == (1, 0, 1)
