"""Live: who is online, which sign-ins have ended, and quizzes that a class plays together. Short-lived state.

No consumer of events: requests write it and read it. What must not be lost (a logout, a game) stands in PostgreSQL, and
Redis answers what is asked all the time; without Redis, PostgreSQL answers that too.
"""
