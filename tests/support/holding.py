"""A wire on which bytes can be held: what a paused process or a slow network has sent arrives when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65536


class HoldingProxy:
    """Forwards connections to a port; from the first chunk that contains `hold` on, a connection's bytes wait.

    What is held is sent on `release`, also when whoever sent it has hung up long ago.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.hold: bytes | None = None
        self.held = asyncio.Event()
        self.arrived = asyncio.Event()

    def release(self) -> None:
        """Let the bytes go."""
        self._released.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        connection = asyncio.current_task()
        assert connection is not None
        self._tasks.add(connection)
        behind_reader, behind = await asyncio.open_connection("127.0.0.1", self._port)
        answering = asyncio.create_task(self._answer(behind_reader, writer))
        try:
            await self._forward(reader, behind, answering)
        except asyncio.CancelledError:
            pass  # the test is over; both ends are closed here, and not by the garbage collector
        finally:
            answering.cancel()
            behind.close()
            writer.close()
            self._tasks.discard(connection)

    async def close(self) -> None:
        """End what is still open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(
        self, reader: asyncio.StreamReader, behind: asyncio.StreamWriter, answering: asyncio.Task[None]
    ) -> None:
        holding = False
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                if self.hold and self.hold in chunk:
                    holding = True
                    self.held.set()
                if holding:
                    await self._released.wait()
                behind.write(chunk)
                await behind.drain()
        if holding:
            await asyncio.wait((answering,), timeout=2)  # the server's moment to answer what was held

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._released.is_set():
                self.arrived.set()
            with suppress(ConnectionError):
                writer.write(chunk)
                await writer.drain()


@asynccontextmanager
async def holding_proxy(port: int) -> AsyncIterator[tuple[HoldingProxy, int]]:
    """A proxy in front of a port, and its own port."""
    proxy = HoldingProxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        proxy.release()
        server.close()
        await proxy.close()
