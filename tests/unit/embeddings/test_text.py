"""What is embedded of a row, and when two rows have the same text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumers.embeddings.fallback import needles
from consumers.embeddings.schema import Document, Kind, Model
from consumers.embeddings.text import MAX_CHARS, document

MODEL = Model("all-MiniLM-L6-v2", 384)


def made(*parts: str | None, tags: list[str | None] | None = None, model: Model = MODEL) -> Document | None:
    return document(Kind.POST, "p", parts, tags or [], model)


def text(*parts: str | None, tags: list[str | None] | None = None) -> str:
    found = made(*parts, tags=tags)
    assert found is not None
    return found.text


def test_markdown_links_and_invisible_characters_say_nothing() -> None:
    assert (
        text("# Title\n**bold** and `code` [here](https://x.example/y) https://z.example")
        == "Title bold and code here"
    )
    assert text("ភាសា\u200bខ្មែរ") == "ភាសាខ្មែរ"
    assert made("https://only.example/a/link", "![](picture.png)", None) is None


def test_tags_come_last_as_words_and_only_once() -> None:
    assert text("Sorting a list #ComputerScience", tags=["ComputerScience", "grade-12", None]) == (
        "Sorting a list Computer Science, grade 12"
    )
    assert text("All about Physics", tags=["physics"]) == "All about Physics"
    assert text("#Biology #ជីវវិទ្យា") == "Biology, ជីវវិទ្យា"


def test_long_texts_are_cut_but_keep_their_tags() -> None:
    long = text("word " * 5000, tags=["History"])
    assert len(long) < MAX_CHARS + 50
    assert long.endswith("History")


def test_prefixes_are_part_of_the_text_and_of_the_models_name() -> None:
    e5 = Model("intfloat/multilingual-e5-small", 384, "passage: ", "query: ")
    assert e5.name.startswith("multilingual-e5-small/384")
    assert e5.name != Model("intfloat/multilingual-e5-small", 384).name
    post = document(Kind.POST, "p", ["hello"], [], e5)
    profile = document(Kind.PROFILE, "u", ["hello"], [], e5)
    assert post is not None
    assert profile is not None
    assert (post.text, profile.text) == ("passage: hello", "query: hello")
    assert post.digest != profile.digest


@given(st.lists(st.text(max_size=60), max_size=4), st.lists(st.text(max_size=20), max_size=4))
def test_any_text_makes_a_document_that_can_be_stored(parts: list[str], tags: list[str]) -> None:
    found = document(Kind.POST, "p", parts, tags, MODEL)
    assert found is None or (found.text == found.text.strip() and len(found.digest) == 32)
    assert found == document(Kind.POST, "p", parts, tags, MODEL)


@given(st.text(max_size=300))
def test_needles_are_letters_only(content: str) -> None:
    assert all(not set(needle) & set("%_\\") for needle in needles(content))
    assert len(needles(content)) <= 20


def test_needles_are_long_words_and_pieces_of_khmer() -> None:
    assert needles("The derivative of a function") == ["derivative", "function"]
    assert "រស្មីសំយ" in needles("រស្មីសំយោគ")
