"""Free TCP ports on the loopback interface, and who sits on one that is taken.

Ports are kept for years in a home, so they are taken from below the range that the kernel hands to outgoing
connections: there a browser's connection could sit on a server's port just when it restarts.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

import psutil

from runtime.errors import ConfigurationError

HOST = "127.0.0.1"
_RANGE = range(20_000, 32_768)
_TRIES = 200


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on at this moment."""
    with ExitStack() as stack:
        found: list[int] = []
        for port in random.sample(_RANGE, _TRIES):
            sock = stack.enter_context(socket.socket())
            if _bind(sock, port):
                found.append(port)
            if len(found) == count:
                return found
    raise ConfigurationError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop} on {HOST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as sock:
        return _bind(sock, port)


def _bind(sock: socket.socket, port: int) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection in TIME_WAIT is no obstacle
    try:
        sock.bind((HOST, port))
    except OSError:
        return False
    return True


def holder(port: int) -> str:
    """Who listens on `port`, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process"
