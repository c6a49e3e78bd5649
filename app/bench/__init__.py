"""`stunity bench`: each figure against its ceiling on the same machine in the same run, on servers of its own.

`servers.py` starts them, one module per benchmark measures, `report.py` prints. The yardsticks (an unguarded loop,
Debezium) live in tests/benchmarks/ and run as processes of their own, like what they are compared with.
"""
