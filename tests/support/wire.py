"""A wire between a relay and a store: it can be cut, in the middle of a request or just before the reply, or go dead.

Dead is what a network partition looks like: connections stay open, nothing comes through any more.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

_LOOK = 0.2


class Wire:
    """Forwards connections to one address until it is told otherwise."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = _address(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        credentials, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{credentials}{at}{host}"))
        self._closed = threading.Event()
        self._dead = threading.Event()
        self._request_bytes: int | None = None
        self._swallow_reply_above: int | None = None
        #: How often the wire was cut.
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, request_bytes: int) -> None:
        """Cut once, when a single connection has sent so many bytes more: the rest of its request is lost."""
        self._request_bytes = request_bytes

    def cut_before_the_reply(self, to_request_of: int) -> None:
        """Cut once, when a request of at least so many bytes is answered: it was carried out, nobody hears of it."""
        self._swallow_reply_above = to_request_of

    def lead_to(self, url: str) -> None:
        """New connections go elsewhere: what a name or a proxy does after a failover."""
        self._target = _address(url)

    def die(self) -> None:
        """From now on nothing comes through, and nobody is told."""
        self._dead.set()

    def close(self) -> None:
        """Cut everything."""
        self._closed.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            sent = 0
            while not self._closed.is_set():
                readable, _, _ = select.select([client, server], [], [], _LOOK)
                if self._dead.is_set():
                    self._closed.wait()
                    return
                if client in readable:
                    data = client.recv(65536)
                    sent += len(data)
                    if not data or not self._forward_request(server, data):
                        return
                if server in readable:
                    data = server.recv(65536)
                    if not data or self._swallows_reply(sent):
                        return
                    client.sendall(data)
                    sent = 0

    def _forward_request(self, server: socket.socket, data: bytes) -> bool:
        left = self._request_bytes
        if left is not None:
            self._request_bytes = left - len(data)
            if left <= len(data):
                self._request_bytes = None
                self.cuts += 1
                server.sendall(data[:left])
                return False
        server.sendall(data)
        return True

    def _swallows_reply(self, sent: int) -> bool:
        if self._swallow_reply_above is None or sent < self._swallow_reply_above:
            return False
        self._swallow_reply_above = None
        self.cuts += 1
        return True


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


@contextmanager
def wire_to(url: str) -> Iterator[Wire]:
    """A wire for the length of a block."""
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()
