"""Reads the settings of a process: from the environment and `.env`, else from the embedded stack that runs here.

So `stunity seed` works after `stunity up` without more ado. A DATABASE_URL that is set always wins.
"""

from __future__ import annotations

import os
import sys

from pydantic import ValidationError

from app.stack import state
from app.stack.plan import StackSettings
from runtime.errors import ConfigurationError
from runtime.settings import Settings

_NO_DATABASE = "DATABASE_URL is not set: set it, or start the embedded stack with `stunity up`"


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: a variable is missing or wrong; one line that names it.
    """
    try:
        outside = StackSettings()
        _say_which(outside)
        return Settings() if outside.database_url else Settings.model_validate(_embedded(outside))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
        raise ConfigurationError("; ".join(wrong)) from None


def _say_which(outside: StackSettings) -> None:
    """Somebody has named a stack, and a database that is not its own: a shell keeps what `stunity env` once gave it."""
    if outside.database_url is None or "STUNITY_HOME" not in os.environ:
        return
    found = state.read(outside.home)
    if found is not None and found.running() and found.environment["DATABASE_URL"] != outside.database_url:
        sys.stderr.write(
            "stunity: this is about the database in DATABASE_URL, not about the stack in STUNITY_HOME\n"
        )


def _embedded(outside: StackSettings) -> dict[str, str]:
    """The running stack's settings; they already contain what the environment had to say when it was started."""
    found = state.read(outside.home)
    if found is None or not found.running():
        raise ConfigurationError(_NO_DATABASE)
    return {name.lower(): value for name, value in found.environment.items()}
