"""Where an entry stands in the streams of an epoch, comparable over all of them: the two halves of its stream id.

wal: (LSN of the commit, index within the transaction); poll: (round, index within the round). Control entries take
the next index after the last entry. Text and bytes forms are Redis's `<ms>-<seq>`.
"""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """A stream id. Tuples compare as Redis compares ids."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}-{self.minor}"

    def encode(self) -> bytes:
        """The form that Redis takes."""
        return b"%d-%d" % self

    def next(self) -> Position:
        """The place right behind."""
        return Position(self.major, self.minor + 1)

    @classmethod
    def parse(cls, text: str | bytes) -> Position:
        """Read `<ms>-<seq>`; the empty text is the place before everything.

        Raises:
            ValueError: it is something else.
        """
        if not text:
            return START
        major, _, minor = (text.decode() if isinstance(text, bytes) else text).partition("-")
        return cls(int(major), int(minor))


START = Position(0, 0)
