"""The exchange: the shadow becomes the view, and what was the view stands under the shadow's name, up to date.

1. Both leases are seized: nobody else writes to either content, or is heard, from here on (generations).
2. The row says which contents are about to change names; the shadow is brought up to now, so that it has everything
   that readers were ever told the view had.
3. The store changes the names, at once for readers.
4. One transaction lets checkpoint copies and letters follow their content, and gives the leases free.

A crash before 3 changes nothing: consumers take their leases back, and the row goes back to where it was. A crash after
3 is completed by whoever comes next (`complete`): the store itself says which of the two it was. Readers see the old
view or the new one, both whole. Rolling back is the same exchange again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

from consumers.engine.applier import Applier
from consumers.engine.catchup import CatchUp
from consumers.engine.lease import Lease
from consumers.engine.log import Log
from consumers.engine.options import Options
from consumers.engine.patience import Patience
from consumers.engine.projection import StoreForgot
from consumers.engine.rebuild.register import SQL, Rebuild, Register, State
from consumers.engine.rebuild.shadow import Moved, Shadows, Sides
from consumers.engine.rebuild.steps import OnStep
from runtime.errors import Retryable
from runtime.postgres import fetch_rows

log = structlog.get_logger(__name__)

#: A former owner of the shadow has one batch under way at most, and a part of it may come late. As often for texts that
#: are written while others are being embedded.
_CATCH_UPS: Final = 5


class Switch:
    """The exchange of one view and one of its shadows."""

    def __init__(
        self,
        shadows: Shadows,
        register: Register,
        options: Options,
        stop: asyncio.Event,
        on_step: OnStep,
    ) -> None:
        self._shadows = shadows
        self._register = register
        self._options = options
        self._stop = stop
        self._on_step = on_step

    async def run(self, rebuild: Rebuild) -> None:
        """Exchange the two, whichever of them is the newer.

        Raises:
            Moved: the store does not hold what it should; nothing has been changed.
            Retryable: a store was away, or did not get it done within a lease; `complete` says what became of it.
        """
        pool = self._register.pool
        ours = Lease(pool, rebuild.shadow, ttl=self._options.lease)
        theirs = Lease(pool, self._shadows.view, ttl=self._options.lease)
        try:
            await self._come_near(rebuild, ours)  # the long part, while the view is still kept by its owner
            async with asyncio.timeout(self._options.lease * 0.7):
                await ours.seize()
                await theirs.seize()
                await self._exchange(rebuild, ours.generation, theirs.generation)
        except TimeoutError as error:
            raise Retryable("the exchange took too long") from error
        finally:
            await ours.release()
            await theirs.release()

    async def complete(self, rebuild: Rebuild) -> bool:
        """Finish, or take back, an exchange that was interrupted; True when the exchange has happened.

        Raises:
            Moved: neither can be said.
        """
        assert rebuild.sides is not None  # it is switching
        noted = Sides(rebuild.sides["serving"], rebuild.sides["shadow"])
        found = await self._shadows.sides(rebuild.id)
        if found == noted:
            back: State = "kept" if rebuild.switched_at else "following"
            await self._register.move(rebuild.id, "switching", to=back)
            return False
        if found is not None and found.serving not in (noted.serving, noted.shadow):
            raise Moved(f"{self._shadows.view}: neither content of the exchange is there")
        await self._shadows.exchange(rebuild.id, noted)
        await self._settle(rebuild, noted.serving, rebuild.sides["life"])
        return True

    async def _come_near(self, rebuild: Rebuild, ours: Lease) -> None:
        """Catch up; what that leaves to be done beside is done too, and what was written meanwhile comes next."""
        for _ in range(_CATCH_UPS):
            await ours.seize()
            await self._catch_up(rebuild, ours.generation)
            if not await self._shadows.finish_off(rebuild.id):
                return

    async def _exchange(self, rebuild: Rebuild, ours: int, theirs: int) -> None:
        view = self._shadows.view
        sides = await self._shadows.sides(rebuild.id)
        if sides is None:
            raise Moved(f"there is nothing under {rebuild.shadow}")
        life = await self._life_of_copy()
        await self._register.execute("fence_copy", {"consumer": view, "generation": theirs})
        await self._register.start_switch(rebuild.id, sides, life)
        self._on_step("switch_noted")
        await self._catch_up(rebuild, ours)
        self._on_step("caught_up")
        if sides.serving is not None:  # else nobody is to be kept out, and fencing would make what is absent
            await self._shadows.fence(theirs)
        self._on_step("fenced")
        await self._shadows.exchange(rebuild.id, sides)
        self._on_step("exchanged")
        await self._settle(rebuild, sides.serving, life)
        log.info("view_switched", view=view, rebuild=rebuild.id)

    async def _catch_up(self, rebuild: Rebuild, generation: int) -> None:
        """Apply to the shadow all that is visible now; again, when a former owner's last batch came in between."""
        for left in reversed(range(_CATCH_UPS)):
            try:
                await self._catch_up_once(rebuild, generation)
                return
            except StoreForgot as error:
                if not left:
                    raise Moved(f"{rebuild.shadow}: {error}") from error

    async def _catch_up_once(self, rebuild: Rebuild, generation: int) -> None:
        projection = self._shadows.projection(rebuild.id)
        source = Log(self._register.pool, projection.topics)
        patience = Patience(rebuild.shadow, self._options, self._stop)
        applier = Applier(projection, source, self._options, generation, patience)
        catchup = CatchUp(rebuild.shadow, source, None, applier, self._options, patience)
        state = await applier.start()
        if state is None or await catchup.why_refill(state):
            raise Moved(f"{rebuild.shadow} can't be brought up to date")
        await applier.apply((), await catchup.round(state, join=False))

    async def _settle(self, rebuild: Rebuild, serving: str | None, life: str | None) -> None:
        names: dict[str, Any] = {"id": rebuild.id, "view": self._shadows.view, "shadow": rebuild.shadow}
        names["kept"] = serving is not None
        async with self._register.connection() as conn:
            await conn.execute(SQL["retire_kept"], names)
            if (await conn.execute(SQL["finish_switch"], names)).rowcount == 0:
                await conn.rollback()
                return  # done by somebody else
            rows = await fetch_rows(conn, SQL["incarnation_of_copy"], {"consumer": self._shadows.view})
            if (rows[0][0] if rows else None) == life:  # else its new owner has written its own copy already
                await conn.execute(SQL["set_apart"], names)
                await conn.execute(SQL["settle_names"], names)
            await conn.execute(SQL["release_leases"], names)

    async def _life_of_copy(self) -> str | None:
        async with self._register.connection() as conn:
            rows = await fetch_rows(conn, SQL["incarnation_of_copy"], {"consumer": self._shadows.view})
        return rows[0][0] if rows else None
