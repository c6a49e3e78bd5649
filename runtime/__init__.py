"""What every process needs and knows nothing of events: settings, connections, errors, HTTP, who may see what.

The bottom of the import graph. Events begin in `schemas/` and `outbox/`; objects are wired together in `app/`.
"""
