"""Python's collector of cycles in a process that serves or fills: it need not look at what was there at the start."""

from __future__ import annotations

import gc


def settle() -> None:
    """Call it once, when everything is imported.

    A request, or a page of a fill, makes thousands of objects and hardly a cycle. By default the collector runs every
    few hundred of them, and now and then goes through all modules, while everybody waits.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
