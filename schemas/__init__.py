"""Event contracts: what happened, in which words, on which wire. Pure: no I/O, imported by everyone.

`envelope` is one event, `wire` its form as a stream entry, `registry` the known types with their models and
upcasters. Rows become events in `outbox/`; events become views in `consumers/`.
"""
