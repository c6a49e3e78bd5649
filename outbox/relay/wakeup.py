"""Waking a thread that waits for a socket: a pair of sockets whose one end can be waited for."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from contextlib import suppress


class Wakeup:
    """`set` from any thread ends the `wait` of its owner, now or at its next call."""

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)

    def set(self) -> None:
        """Wake the owner."""
        with suppress(OSError):  # full: it is awake; closed: it is gone
            self._there.send(b"!")

    def wait(self, timeout: float, sockets: Sequence[int] = ()) -> bool:
        """Until woken, until one of `sockets` can be read, or for `timeout` seconds; True when a socket can be read."""
        mine = self._here.fileno()
        readable, _, _ = select.select([mine, *sockets], [], [], max(timeout, 0.0))
        if mine in readable:
            with suppress(BlockingIOError):
                self._here.recv(4096)
        return any(one != mine for one in readable)

    def close(self) -> None:
        """Release both ends."""
        self._here.close()
        self._there.close()
