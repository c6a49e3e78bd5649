"""The embedded stack: real PostgreSQL, Valkey and Typesense from wheels, and all our processes, under one supervisor.

For laptops, demos and tests. `postgres`, `valkey` and `typesense` know how each server is prepared, started and asked for its health;
`process` runs one of them; `supervisor` keeps all of them running. Where servers are operated by somebody else,
nothing of this folder is needed: the environment variables name them.
"""
