"""The read side's statements, with the visibility rules of `runtime/access.py` put where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from runtime import access, statements

_FOLDER: Final = Path(__file__).parent / "sql"
_VISIBLE: Final = {
    "POST_VISIBLE": access.POST_VISIBLE,
    "PERSON_VISIBLE": access.PERSON_VISIBLE,
    "COURSE_VISIBLE": access.COURSE_VISIBLE,
}


def _with(rules: dict[str, str], sql: dict[str, str]) -> dict[str, str]:
    for rule, text in rules.items():
        sql = {name: statement.replace(f"{{{rule}}}", text) for name, statement in sql.items()}
    return sql


_RULES: Final = {**_VISIBLE, **_with(_VISIBLE, statements.load(_FOLDER / "rules.sql"))}

#: From vectors; `{DIMENSION}` is still to be filled in.
VIEW: Final = _with(_RULES, statements.load(_FOLDER / "view.sql"))
#: From the truth alone.
TRUTH: Final = _with(_RULES, statements.load(_FOLDER / "fallback.sql"))
#: From ids to what a client sees.
CARDS: Final = _with(_RULES, statements.load(_FOLDER / "cards.sql"))
