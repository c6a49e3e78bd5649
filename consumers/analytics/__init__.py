"""Analytics: facts over time in three append-only tables, with hourly roll-ups, in a schema (or database) of their own.

Kept from: `post.viewed`, `like.*`, `comment.*`, `bookmark.*`, `post.created|deleted`, `quiz.attempted`,
`user.deleted`. Guarantee: a fact is counted once however often and in whatever order its event arrives, because it
is inserted under (time, fact id), and the roll-ups that are kept change in the same transaction. The tables are
hypertables where TimescaleDB is installed, native range partitions elsewhere; names, columns and answers are the same.
Lost tables are made again and filled from the truth by the engine.
"""
