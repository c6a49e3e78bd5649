"""Live: who is online, and which sign-ins have ended. Short-lived state, in Redis where there is one.

No consumer of events: requests write it and read it. PostgreSQL holds the same rows where truth is needed (a revoked
token must stay revoked when Redis forgets) or where Redis is missing (presence).
"""
