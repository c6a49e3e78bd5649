"""What happens to a viewer, told while it happens: `GET /events/stream` (server-sent events).

tail.py      one look at the log for all clients of this process
audience.py  which events concern a viewer who may see them
place.py     where a client stands in the log: its Last-Event-ID
session.py   one client: what it missed, then what comes
api.py       the route
"""
