"""What all consumers share: how events reach a view exactly in effect once, and how a view's answers are served.

Write half: `runner.py` (the one skeleton) over `stream.py`, `catchup.py`, `lease.py`, `checkpoint.py` and
`dead_letters.py`. Read half: `reads.py` over `freshness.py`. A view is a folder beside this one; it implements
`projection.py` and uses `reads.py`, and knows nothing of Redis Streams. `positions.py` is the arithmetic of both.
"""
