"""An owner that was paused, and wakes up in the middle of a switch: the store refuses it, readers do not hear it."""

from __future__ import annotations

import psycopg
import pytest

from app import views
from consumers.engine.checkpoint import Checkpoint, save_copy
from consumers.engine.projection import Batch, StaleOwner
from consumers.engine.rebuild.shadow import Shadows, Sides
from tests.integration.rebuild.conftest import Open
from tests.integration.rebuild.killing import serves_on
from tests.support.network import Network
from tests.support.wait import until


def generation(conn: psycopg.Connection, table: str, view: str) -> int:
    [(number,)] = conn.execute(
        f"SELECT generation FROM engine.{table} WHERE consumer = %s", (view,)
    ).fetchall()
    return int(number)


@pytest.mark.parametrize("view", views.CONSUMERS)
async def test_it_changes_nothing(
    view: str, world: Open, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(view) as one:
        async with one.consumed():
            await until(lambda: serves_on(network.conn, view), 20)
        former = await one.stack.enter_async_context(views.projection(view, one.settings, one.pool))
        await former.prepare()
        its_generation, checkpoint = generation(network.conn, "leases", view), await former.read_checkpoint()
        assert checkpoint is not None
        kind = type(await one.shadows())
        exchange = kind.exchange
        refused: list[bool] = []

        async def wake_up_and_exchange(shadows: Shadows, number: int, sides: Sides) -> None:
            try:
                await former.apply(Batch((), checkpoint, its_generation))
            except StaleOwner:
                refused.append(True)
            async with one.pool.connection() as conn:
                await save_copy(conn, view, former.topics, its_generation, Checkpoint.load(checkpoint))
            refused.append(generation(network.conn, "checkpoints", view) > its_generation)
            await exchange(shadows, number, sides)

        monkeypatch.setattr(kind, "exchange", wake_up_and_exchange)
        row = await (await one.rebuilding()).rebuild("truth")
        assert row.state == "kept"
        assert refused == [True, True]
