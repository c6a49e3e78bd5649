"""Search: posts, people, clubs and courses in Typesense, found by Khmer and English words, typos included.

Kept from the post, user, club and course events: an event only names a key, and what is indexed are the rows that
PostgreSQL has now, so any order, repetition or replay of events ends in the same index. Every document says who may
find it (`audience`); every answer passes the rule of `runtime/access.py` once more when it is read from PostgreSQL.
Delete the collections and the engine fills them again from the truth; meanwhile `fallback.py` answers.
"""
