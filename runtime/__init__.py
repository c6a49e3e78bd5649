"""What every process needs and knows nothing of events: settings, logs, connections, errors, HTTP manners, who may see what.

The bottom of the import graph. Events begin in `schemas/` and `outbox/`; objects are wired together in `app/`.
"""
