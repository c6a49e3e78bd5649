"""What the conformance suite needs to know of a view: how to look into its store, and how to empty it.

Every consumer registers one `Harness` (`harness_<name>.py`). The projection itself is built as the product builds
it; the content comes straight from the store, without the consumer's own reading code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from app.stack.typesense import Typesense
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.support.servers import Running

#: Something comparable: the content of a view without what may differ between two equal ones (times, checkpoints).
Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stores:
    """Where to look; the server is for those who have to stop it."""

    settings: Settings
    pool: Pool
    typesense: Running[Typesense] | None = None


class Harness(Protocol):
    """One view in its store."""

    name: str

    async def content(self, stores: Stores) -> Content:
        """Everything that the view holds."""

    async def wipe(self, stores: Stores) -> None:
        """Take everything away, as a disk that died would."""

    async def lose_checkpoint(self, stores: Stores) -> None:
        """The store forgets how far it is, and nothing else."""

    async def checkpoint(self, stores: Stores) -> str | None:
        """What the store itself says, looked up without the consumer's code."""

    async def back_up(self, stores: Stores) -> Any:
        """A copy of the store, checkpoint included."""

    async def put_back(self, stores: Stores, copy: Any) -> None:
        """The store as it was then, at once, as after a restore from yesterday's backup."""
