"""PostgreSQL's `pg_snapshot` in Python: which transactions had committed when it was taken.

Pure arithmetic on the text form `xmin:xmax:xip,…`; snapshots are taken by the relay and kept in checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import MalformedEvent


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Sees every xid below `xmax` but those that were in progress (`xip`)."""

    xmin: int
    xmax: int
    xip: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Read the text form.

        Raises:
            MalformedEvent: not a snapshot.
        """
        try:
            xmin, xmax, xip = text.split(":")
            return cls(int(xmin), int(xmax), frozenset(int(x) for x in xip.split(",") if x))
        except ValueError:
            raise MalformedEvent(f"not a pg_snapshot: {text[:80]!r}") from None

    def sees(self, xid: int) -> bool:
        """Whether the transaction had committed (or aborted) when the snapshot was taken."""
        return xid < self.xmin or (xid < self.xmax and xid not in self.xip)

    def ordered(self) -> Snapshot:
        """The same snapshot with `xmin <= xmax`, as PostgreSQL reads its text form back.

        What a logical slot exports may have it the other way round: its `xmin` follows every transaction that ends,
        its `xmax` only those that commit. Up to `xmin` all have ended, and `xmin` is what visibility asks first.
        """
        return Snapshot(self.xmin, max(self.xmin, self.xmax), self.xip)

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.xip)))}"
