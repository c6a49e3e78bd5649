"""Documents as lines of an import. Plain ASCII, other letters escaped, because Typesense loses letters otherwise.

It takes a large request in pieces, wherever they happen to end, and drops the halves of a letter that two pieces share
(`http_req::serialize` ignores what is not UTF-8): about one Khmer letter per megabyte was gone, without an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode


def line_of(document: Mapping[str, Any]) -> bytes:
    """One document."""
    return _ENCODE(document).encode("ascii")
