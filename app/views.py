"""The views there are: what keeps each in sync, and what answers for it. Imported lazily, one by one.

A view is a folder of `consumers/`: its `wiring.py` offers `projection(settings, pool)` and `shadows(settings, pool)`,
its `api.py` a `router`.
Deleting the folder and its name here removes the view.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Final

from fastapi import APIRouter

from consumers.engine.projection import Projection
from consumers.engine.rebuild.shadow import Shadows
from runtime.errors import ConfigurationError
from runtime.postgres import Pool
from runtime.settings import Settings

CONSUMERS: Final = ("search", "embeddings", "feeds", "analytics")


def projection(name: str, settings: Settings, pool: Pool) -> AbstractAsyncContextManager[Projection]:
    """The write side of a view, with the clients that it needs.

    Raises:
        ConfigurationError: there is no such view.
    """
    made: AbstractAsyncContextManager[Projection] = _wiring(name).projection(settings, pool)
    return made


def shadows(name: str, settings: Settings, pool: Pool) -> AbstractAsyncContextManager[Shadows]:
    """What a rebuild asks of a view.

    Raises:
        ConfigurationError: there is no such view, or its store is not configured.
    """
    made: AbstractAsyncContextManager[Shadows] = _wiring(name).shadows(settings, pool)
    return made


def _wiring(name: str) -> ModuleType:
    if name not in CONSUMERS:
        raise ConfigurationError(f"no consumer {name!r}: there are {', '.join(CONSUMERS)}")
    return importlib.import_module(f"consumers.{name}.wiring")


def routers() -> Iterator[APIRouter]:
    """The read half of the HTTP contract."""
    for name in CONSUMERS:
        router: APIRouter = importlib.import_module(f"consumers.{name}.api").router
        yield router
