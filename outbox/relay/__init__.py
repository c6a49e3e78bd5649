"""The relay: every committed row of `outbox.events` becomes one entry of a Redis stream, once, in order.

    source                                   sink
    wal.py    replication slot  ─┐
                                 ├─ Batch ─► sender.py ─► publisher.py ─► lua/publish.lua ─► streams
    poll.py   snapshots of rows ─┘             │
                                 keeper.py ◄───┴── what Redis has acknowledged: markers, confirming late, state

`service.py` chooses the mode, stands by while another relay is at work, and starts again after a failure.
`epoch.py` decides when the streams have to begin anew. `pgoutput.py`, `assembler.py`, `rows.py`, `trail.py` and
`settled.py` decide without I/O. What an entry contains is `schemas/wire.py`; reading the streams, and trimming them,
is the consumers' side (`consumers/engine/`).

Promises, by the numbers of docs/explanation: once within an epoch (I1), in commit order per key (I2), PostgreSQL is
told late and only what Redis has acknowledged (I3), retained WAL stays bounded (I4), one relay at a time (I5), markers
(I6), epochs (I6b).
"""
