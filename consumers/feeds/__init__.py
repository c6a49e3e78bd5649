"""Feeds: pools of posts per school, per author and for everybody in Redis, ranked for each viewer when they read.

Kept from the post, engagement, user, follow, block, club and course events. An event only says what changed; the
rows that PostgreSQL has now are what is written, so any order, repetition or replay ends in the same view. Events
also move version numbers: a ranked page is served again until a version that it rests on has moved, so that a new
post is in its followers' pages at once although nothing is pushed to anybody and no TTL has to run out.
Every answer is read from PostgreSQL under the visibility rule once more (`consumers/engine/cards.py`). Delete the
keys and the engine fills them again from the truth; meanwhile `fallback.py` ranks the same candidates from there.
"""
