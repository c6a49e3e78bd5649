"""Sounds: what is misspelt sounds alike, what is another word mostly does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.sounds import index_sounds, query_sounds


def heard(query: str, text: str, *, subscripts: bool) -> bool:
    """As Typesense answers: the longest chain stands in the text as it is, the rest somewhere."""
    there = f" {index_sounds(text)} "
    chains = query_sounds(query, subscripts=subscripts)
    return bool(chains) and all(f" {' '.join(chain)} " in there for chain in chains)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("fotografy", "a photography competition"),
        ("kolera", "the cholera outbreak"),
        ("gitar", "guitar lessons"),
        ("hemoglobin", "haemoglobin"),
        ("ធនគារ", "ធនាគារជាតិ"),
        ("យូណស្កូ", "អង្គការយូណេស្កូចុះបញ្ជី"),
        ("សំលម្ជូរ", "និងសម្លម្ជូរគ្រឿង"),
        ("បណ្ណល័យ", "បណ្ណា ល័យបើក"),
    ],
)
def test_other_letters_of_the_same_sound(query: str, text: str) -> None:
    assert heard(query, text, subscripts=True)


def test_without_subscripts_they_may_be_missing() -> None:
    assert not heard("ស្ម័គចិត្ត", "អ្នកស្ម័គ្រចិត្ត", subscripts=True)
    assert heard("ស្ម័គចិត្ត", "អ្នកស្ម័គ្រចិត្ត", subscripts=False)


def test_other_words_sound_different() -> None:
    assert not heard("guitar", "a letter from the garden", subscripts=True)
    assert not heard("ធនាគារ", "ធម្មជាតិនិងមនុស្ស", subscripts=True)


@given(st.text(max_size=300))
def test_any_text_is_taken_and_asks_for_what_it_has(text: str) -> None:
    there = index_sounds(text)
    assert there == "" or all(one.isascii() and one.isalnum() for one in there.split(" "))
    for subscripts in (True, False):
        assert all(" ".join(chain) in there for chain in query_sounds(text, subscripts=subscripts))
