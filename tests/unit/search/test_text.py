"""Words: whatever way a text is typed, the query for one of its words is a chain that the text has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.text import (
    MAX_QUERY_WORDS,
    clusters,
    fold,
    index_words,
    normalise,
    query_words,
    terms,
)

CONSONANTS = "កខគឃងចឆជឈញដឋឌឍណតថទធនបផពភមយរលវសហឡអ"
KHMER_WORD = st.lists(
    st.builds(
        lambda base, subscript, vowel, sign: f"{base}{subscript}{vowel}{sign}",
        st.sampled_from(CONSONANTS),
        st.sampled_from(["", "", "\u17d2\u1780", "\u17d2\u179a", "\u17d2\u178f"]),
        st.sampled_from(["", "ា", "ិ", "ី", "ុ", "ូ", "េ", "ែ", "ោ"]),
        st.sampled_from(["", "", "ំ", "់"]),
    ),
    min_size=2,
    max_size=6,
).map("".join)


def found(query: str, text: str) -> bool:
    """As Typesense matches without typos: every word is there, the last one perhaps as a prefix."""
    words = index_words(text).split()
    asked = query_words(query)
    whole, last = asked[:-1], asked[-1:]
    return bool(asked) and all(one in words for one in whole) and any(w.startswith(last[0]) for w in words)


@given(before=KHMER_WORD, word=KHMER_WORD, after=KHMER_WORD)
def test_a_khmer_word_is_found_inside_an_unspaced_sentence(before: str, word: str, after: str) -> None:
    assert found(word, before + word + after)


@given(before=KHMER_WORD, word=KHMER_WORD, after=KHMER_WORD)
def test_invisible_spaces_between_khmer_words_change_nothing(before: str, word: str, after: str) -> None:
    assert index_words(f"{before}\u200b{word}\u200b{after}") == index_words(before + word + after)


@given(first=KHMER_WORD, second=KHMER_WORD)
def test_a_compound_is_found_with_and_without_a_space(first: str, second: str) -> None:
    assert found(first + second, f"{first} {second}")
    assert found(f"{first} {second}", first + second)


@given(st.text(max_size=300))
def test_any_text_is_taken_and_words_are_clean(text: str) -> None:
    words = index_words(text).split(" ")
    assert all(word == word.strip() for word in words)
    assert not any(char in index_words(text) for char in "`\"'&|()[]{}:=<>\\,*-\n\x00")
    asked = query_words(text)
    assert len(asked) <= MAX_QUERY_WORDS
    assert not any(char in word for word in asked for char in '`"*- \x00')
    assert all(terms(text))


@given(st.text(max_size=100))
def test_normalising_and_folding_twice_is_normalising_and_folding_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("កុំព្យូទ័រ", "ក្លឹបកុំព្យូទ័ររបស់យើង"),
        ("កំុព្យូទ័រ", "ក្លឹបកុំព្យូទ័ររបស់យើង"),  # signs typed in the other order
        ("អង្គរវត្ដ", "ប្រាសាទអង្គរវត្តត្រូវបានសាងសង់"),  # subscript DA for TA
        ("ឲ្យ", "ធ្វើឱ្យសុខភាពល្អ"),
        ("ថ្នាក់ទី12", "សិស្សថ្នាក់ទី១២ត្រូវប្រឡង"),
        ("ថ្នាក់ទី១២", "សិស្សថ្នាក់ទី12ត្រូវប្រឡង"),
        ("physics", "សំណួរPhysicsអំពីល្បឿន"),
        ("computer science", "#ComputerScience"),
        ("computerscience", "#ComputerScience"),
        ("grade 12", "grade-12"),
        ("etat", "l'État"),
        ("calcul", "Calculus revision"),
        ("គ", "គណិតវិទ្យា"),
        ("C++", "pointers in C++, not in C"),
        ("ទូរសព្ទ", "តាមទូរស័ព្ទដៃ"),
        ("frac", r"$\frac{dy}{dx}$"),
    ],
)
def test_what_is_asked_is_found(query: str, text: str) -> None:
    assert found(query, text)


def test_clusters_are_orthographic() -> None:
    assert clusters("វិទ្យា") == ["វិ", "ទ្យា"]
    assert clusters("ស្ត្រី") == ["ស្ត្រី"]


def test_a_long_query_keeps_its_beginning_and_spans_its_whole() -> None:
    words = query_words("ប្រាសាទអង្គរវត្តត្រូវបានសាងសង់ក្នុងសតវត្សទីដប់ពីរដោយព្រះបាទសូរ្យវរ្ម័ន")
    assert 4 < len(words) <= MAX_QUERY_WORDS
