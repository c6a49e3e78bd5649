"""SQL kept in `.sql` files: one name and one sentence per statement, loaded once.

A file is a run of blocks, each opened by `-- name: some_name`; the comment lines that follow say what it is for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(path: Path) -> dict[str, str]:
    """The statements of a file by name.

    Raises:
        ValueError: a name stands twice, or text stands before the first name.
    """
    head, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    if head.replace("--", "").strip() and not all(line.startswith("--") for line in head.split("\n") if line):
        raise ValueError(f"{path}: a statement without a name")
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: a name stands twice")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}
