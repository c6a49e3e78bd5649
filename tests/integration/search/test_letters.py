"""Large imports keep every letter: Typesense takes them in pieces, which may end in the middle of one."""

from __future__ import annotations

from consumers.search.store import Typesense

_TEXT = "ខ្មែរ" * 700


async def test_no_letter_is_lost_between_the_pieces_of_a_request(store: Typesense) -> None:
    await store.create({"name": "letters", "fields": [{"name": "text", "type": "string"}]})
    try:
        assert not await store.upsert("letters", [{"id": str(n), "text": _TEXT} for n in range(1200)])
        held = await store.everything("letters")
    finally:
        await store.drop("letters")
    assert held is not None
    assert len(held) == 1200
    assert [one["id"] for one in held if one["text"] != _TEXT] == []
