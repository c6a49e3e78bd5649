"""Who writes: the business rows of the school network, by plain async functions that take the caller's connection.

Every write is one transaction of business rows, counters included. The functions know nothing of events: the capture
triggers in `outbox/` turn committed rows into them. `*_api.py` is the write half of the HTTP contract, `synthetic/`
invents a school network for demonstrations, tests and benchmarks, `truth.py` makes a development copy of the tables.
"""
