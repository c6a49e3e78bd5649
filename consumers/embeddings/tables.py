"""Where one whole set of vectors stands: the tables of the set that serves, or those of a shadow beside it.

A set is `checkpoint`, `documents`, `pending` and `vectors`. What is no part of it belongs to all sets: the models, the
cache (so that another set needs no model), people's interests. Names only; what is in the tables is `migrations/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_OF_A_SET: Final = re.compile(r"\bembeddings\.(checkpoint|documents|pending|vectors)\b")


def of_set(statements: Mapping[str, str], number: int | None) -> Mapping[str, str]:
    """The statements on the tables of a shadow; as they are for the set that serves."""
    if number is None:
        return statements
    return {
        name: _OF_A_SET.sub(lambda found: f"{found.group()}_r{number}", text)
        for name, text in statements.items()
    }
