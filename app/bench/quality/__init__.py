"""How good search is: labelled questions over planted documents in the synthetic network, for several ways to index.

`documents.toml` is what is planted, `queries.toml` what is asked and what should be found. `cases.py` reads and
plants them, `ways.py` are the ways to be compared (the product's own among them), `measure.py` asks and counts.
"""
