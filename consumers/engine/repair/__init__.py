"""Mending single keys of a view: asked for by `stunity verify --repair`, done by the consumer that owns the view.

The owner alone writes a view, so nobody else has to know how (leases, journals, checkpoints all hold). A request is an
event made from the truth, and applying it is what applying any event is. `requests.py` keeps them.
"""
