"""A memory for small functions of short texts, words and Khmer clusters, that come again and again.

Unlike `lru_cache` a hit is a lookup in a dictionary, without a call: `map(remembered.__getitem__, words)`.
"""

from __future__ import annotations

from collections.abc import Callable


class Remembered(dict[str, str]):
    """What a function makes of each text; all of it is forgotten when it has become too much."""

    def __init__(self, function: Callable[[str], str], most: int = 65_536) -> None:
        super().__init__()
        self._function = function
        self._most = most

    def __missing__(self, text: str) -> str:
        if len(self) >= self._most:
            self.clear()
        found = self[text] = self._function(text)
        return found
