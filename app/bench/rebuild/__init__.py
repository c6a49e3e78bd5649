"""How fast views are rebuilt, each against its store alone with the very same documents, vectors or facts.

`truth.py` makes what is rebuilt from, `rebuilding.py` times one rebuild, `ceilings.py` is what the stores take when
everything is ready, `losing.py` has one lost document looked for, `measure.py` puts them in order.
"""
