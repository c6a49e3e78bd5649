"""Without PostgreSQL nothing can be said of a view, and that is no difference: exit code 2, not 1."""

from __future__ import annotations

import pytest

from app.verification import verify
from runtime.errors import Retryable
from runtime.postgres import open_pool
from runtime.settings import Settings


async def test_no_verdict_without_postgresql() -> None:
    settings = Settings(database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    async with open_pool(settings.database_url) as pool:
        pool.timeout = 0.2  # seconds
        with pytest.raises(Retryable, match="PostgreSQL"):
            await verify(settings, pool, ["search"])
