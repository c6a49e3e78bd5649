"""A transaction pooler: what stands between us and PostgreSQL on free tiers, in its strictest form.

Each transaction of a client goes to whichever server connection has been unused for longest, so nothing that was set,
listened for or prepared in a session is there the next time. Like the real ones it refuses replication and `options`,
and shows clients a process id of its own. Passwords are not asked for: it listens on the loopback interface only.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Queue
from urllib.parse import urlsplit, urlunsplit

import psycopg

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_PARAMETERS = {
    "server_version": "18.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "integer_datetimes": "on",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
}


class _Closed(Exception):
    """One side has hung up."""


class _Server:
    """A connection that libpq has authenticated and that is spoken to directly from then on."""

    def __init__(self, url: str) -> None:
        self._held = psycopg.connect(url, autocommit=True)
        self.socket = socket.socket(fileno=os.dup(self._held.fileno()))
        self.socket.setblocking(True)

    def close(self) -> None:
        self.socket.close()
        self._held.close()


class Pooler:
    """Serves until closed; `size` server connections for any number of clients."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._idle: Queue[_Server] = Queue()
        for _ in range(size):
            self._idle.put(_Server(url))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address, with the user and database of the server's."""
        parts = urlsplit(self._url)
        host, port = self._listener.getsockname()
        return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}:{port}", query="sslmode=disable"))

    def close(self) -> None:
        self._listener.close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()
        while not self._idle.empty():
            self._idle.get().close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(_Closed, OSError):
            if self._greet(client):
                while True:
                    kind, message = _message(client)
                    if kind == b"X":
                        break
                    self._transaction(client, message)
        client.close()

    def _greet(self, client: socket.socket) -> bool:
        while True:
            length, code = struct.unpack(">II", _exactly(client, 8))
            body = _exactly(client, length - 8)
            if code in (_SSL, _GSS):
                client.sendall(b"N")
                continue
            if code == _CANCEL:
                return False
            break
        words = body.rstrip(b"\0").split(b"\0")
        given = dict(zip(words[::2], words[1::2], strict=False))
        for refused in (b"replication", b"options"):
            if refused in given:
                text = b"SFATAL\0C08P01\0Munsupported startup parameter: " + refused + b"\0\0"
                client.sendall(b"E" + struct.pack(">I", len(text) + 4) + text)
                return False
        parts = [b"R" + struct.pack(">II", 8, 0)]
        for name, value in _PARAMETERS.items():
            text = name.encode() + b"\0" + value.encode() + b"\0"
            parts.append(b"S" + struct.pack(">I", len(text) + 4) + text)
        parts.append(b"K" + struct.pack(">III", 12, 0x7FFFFFF0, 1))
        parts.append(b"Z" + struct.pack(">I", 5) + b"I")
        client.sendall(b"".join(parts))
        return True

    def _transaction(self, client: socket.socket, first: bytes) -> None:
        """From the first message to the ReadyForQuery that says `idle`."""
        server = self._idle.get()
        done = threading.Event()
        try:
            server.socket.sendall(first)
            upstream = threading.Thread(target=self._answer, args=(server, client, done), daemon=True)
            upstream.start()
            self._ask(client, server, done)
            upstream.join()
            self._idle.put(server)
        except (_Closed, OSError):
            server.close()
            with suppress(psycopg.Error):  # the server, or its database, is gone as well
                self._idle.put(_Server(self._url))
            raise _Closed from None

    def _ask(self, client: socket.socket, server: _Server, done: threading.Event) -> None:
        """Pass on what the client says, message by message, as long as the transaction lasts."""
        client.settimeout(0.01)
        try:
            while not done.is_set():
                with suppress(TimeoutError):
                    start = client.recv(1, socket.MSG_PEEK)
                    if not start:
                        raise _Closed
                    if done.is_set():
                        break
                    client.settimeout(None)
                    server.socket.sendall(_message(client)[1])
                client.settimeout(0.01)
        finally:
            client.settimeout(None)

    def _answer(self, server: _Server, client: socket.socket, done: threading.Event) -> None:
        try:
            while True:
                kind, message = _message(server.socket)
                last = kind == b"Z" and message[5:] == b"I"
                if last:
                    done.set()
                client.sendall(message)
                if last:
                    return
        except (_Closed, OSError):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            done.set()


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(source, 5)
    return head[:1], head + _exactly(source, int.from_bytes(head[1:]) - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = source.recv(min(size, 1 << 16))
        if not part:
            raise _Closed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


@contextmanager
def pooled(url: str, size: int = 3) -> Iterator[Pooler]:
    """A pooler in front of a server for the length of a block."""
    pooler = Pooler(url, size)
    try:
        yield pooler
    finally:
        pooler.close()
