"""The yardstick of the relay: reads outbox inserts from a slot and appends them to one stream, guarding nothing.

No check of replies, no progress, no order across restarts, no markers: what one thread that reads and one that sends
can do at most in Python. Usage: unguarded_loop.py POSTGRES_URL REDIS_URL SLOT PUBLICATION END; prints events/s.
"""

from __future__ import annotations

import queue
import select
import sys
import threading
import time

import msgpack  # type: ignore[import-untyped]
import redis
from psycopg import pq
from psycopg.conninfo import make_conninfo

BATCH = 4000
SCRIPT = """
local events = cmsgpack.unpack(ARGV[1])
for i = 1, #events, 4 do
  redis.call('XADD', KEYS[1], events[i], 't', events[i + 1], 'k', events[i + 2], 'd', events[i + 3])
end
return #events
"""


def main(postgres_url: str, redis_url: str, slot: str, publication: str, end: int) -> None:
    client = redis.Redis.from_url(redis_url, socket_timeout=60)
    script = client.register_script(SCRIPT)
    batches: queue.Queue[bytes | None] = queue.Queue(maxsize=8)

    def send() -> None:
        while (batch := batches.get()) is not None:
            script(keys=["bench:unguarded"], args=[batch])

    sender = threading.Thread(target=send)
    sender.start()
    conn = pq.PGconn.connect(make_conninfo(postgres_url, replication="database").encode())
    conn.exec_(
        f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '{publication}')".encode()
    )
    pack = msgpack.Packer(use_bin_type=False, autoreset=True).pack
    batch: list[bytes] = []
    started, count, commit, index = time.perf_counter(), 0, 0, 0
    while True:
        size, data = conn.get_copy_data(1)
        if size == 0:
            select.select([conn.socket], [], [], 1.0)
            conn.consume_input()
            continue
        message = bytes(data or b"")
        if size < 0 or (message[:1] == b"k" and int.from_bytes(message[1:9], "big") >= end):
            break
        kind = message[25:26]
        if kind == b"B":
            commit, index = int.from_bytes(message[26:34], "big"), 0
        elif kind == b"I":
            index, count = index + 1, count + 1
            columns: list[bytes] = []
            at = 33
            while at < len(message):
                length = int.from_bytes(message[at + 1 : at + 5], "big")
                columns.append(message[at + 5 : at + 5 + length])
                at += 5 + length
            batch += (b"%d-%d" % (commit, index), columns[4], columns[5], columns[6])
            if len(batch) >= 4 * BATCH:
                batches.put(pack(batch))
                batch = []
    batches.put(pack(batch))
    batches.put(None)
    sender.join()
    sys.stdout.write(f"{count / (time.perf_counter() - started):.0f}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
