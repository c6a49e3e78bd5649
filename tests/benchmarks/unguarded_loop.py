"""The yardstick of the relay: reads outbox inserts from a slot and appends them to one stream, guarding nothing.

As fast as we know how in Python, one thread that reads and one that sends: only the columns that it stores are looked
at, one flat list per batch, msgpack, a raw socket, one script call per batch. No check of replies, no progress, no
order across restarts, no numbers, no markers, no headers, no time of the event.
Usage: unguarded_loop.py POSTGRES_URL REDIS_URL SLOT PUBLICATION END BATCH; prints events/s.
"""

from __future__ import annotations

import queue
import select
import socket
import struct
import sys
import threading
import time
from hashlib import sha1
from urllib.parse import urlsplit

import msgpack  # type: ignore[import-untyped]
import redis
from psycopg import pq
from psycopg.conninfo import make_conninfo

STREAM = "bench:unguarded"
SCRIPT = b"""
local key, events = KEYS[1], cmsgpack.unpack(ARGV[1])
for i = 1, #events, 4 do
  redis.call('XADD', key, events[i], 't', events[i + 1], 'k', events[i + 2], 'd', events[i + 3])
end
return #events
"""
_ROW = 33  # behind the envelope, 'I', relation, 'N' and the number of columns
_BEFORE = 4  # id, xid, occurred_at, topic: not stored
_U32 = struct.Struct(">I").unpack_from


def sending(url: str, batches: queue.Queue[bytes | None]) -> threading.Thread:
    """The thread that sends what is queued, until None comes."""
    where = urlsplit(url)
    with redis.Redis.from_url(url) as client:
        client.script_load(SCRIPT)
    head = b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n$%%d\r\n" % (
        sha1(SCRIPT, usedforsecurity=False).hexdigest().encode(),
        len(STREAM),
        STREAM.encode(),
    )
    link = socket.create_connection((where.hostname, where.port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send() -> None:
        while (batch := batches.get()) is not None:
            link.sendall(b"".join((head % len(batch), batch, b"\r\n")))
            reply = b""
            while not reply.endswith(b"\r\n"):
                reply += link.recv(4096)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def main(postgres_url: str, redis_url: str, slot: str, publication: str, end: int, size: int) -> None:
    batches: queue.Queue[bytes | None] = queue.Queue(maxsize=8)
    sender = sending(redis_url, batches)
    conn = pq.PGconn.connect(make_conninfo(postgres_url, replication="database").encode())
    conn.exec_(
        f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '{publication}')".encode()
    )
    pack = msgpack.Packer(use_bin_type=False, autoreset=True).pack
    read, limit = conn.get_copy_data, 4 * size
    batch: list[bytes] = []
    started, count, commit, index = time.perf_counter(), 0, 0, 0
    while True:
        length, data = read(1)
        if length == 0:
            select.select([conn.socket], [], [], 1.0)
            conn.consume_input()
            continue
        message = bytes(data)
        if length < 0 or (message[0] == 0x6B and int.from_bytes(message[1:9], "big") >= end):
            break
        kind = message[25] if length > 25 else 0
        if kind == 0x42:
            commit, index = int.from_bytes(message[26:34], "big"), 0
        elif kind == 0x49:
            index += 1
            at = _ROW + 5
            for _ in range(_BEFORE):
                at += _U32(message, at - 4)[0] + 5
            a = at + _U32(message, at - 4)[0]
            b = a + 5 + _U32(message, a + 1)[0]
            c = b + 5 + _U32(message, b + 1)[0]
            batch += (b"%d-%d" % (commit, index), message[at:a], message[a + 5 : b], message[b + 5 : c])
            count += 1
            if len(batch) >= limit:
                batches.put(pack(batch))
                batch = []
    batches.put(pack(batch))
    batches.put(None)
    sender.join()
    sys.stdout.write(f"{count / (time.perf_counter() - started):.0f}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
