"""How fast search is: indexing against Typesense's own import, questions through the API, and PostgreSQL alone.

`truth.py` is what is indexed, `indexing.py` and `asking.py` are the two halves of the measurement, `measure.py` puts
them in order. How well it finds is `app/bench/quality/`.
"""
