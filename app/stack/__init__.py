"""The embedded stack: real PostgreSQL, Valkey and Typesense from wheels, and all our processes, under one supervisor.

For laptops, demos and tests. `postgres`, `valkey` and `typesense` know how each server is prepared, started and
asked for its health, `ours` our own commands. `plan` decides what runs, `process` runs one part, `part` keeps it
running, `supervisor` all of them; `control` and `report` are for those who look at a stack from outside.
Where servers are operated by somebody else, nothing of this folder is needed: the environment names them.
"""
