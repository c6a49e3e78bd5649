r"""What is kept in Redis, and how the keys are called. Nothing else in the project builds or reads these keys.

The view itself stands under one hash tag, so one script writes a whole batch with its checkpoint, and one script reads
everything that a ranking needs, on a Redis Cluster too. `<root>` = `<STREAM_PREFIX>:{feeds}:`.

  <root>meta                      hash    incarnation (random, new when the view was lost), generation (of the lease
                                          that wrote last), checkpoint (the engine's, opaque)
  <root>meta@<number>             hash    the same of a shadow: another life of the view, being built or kept
  <root>meta…:former              hash    the incarnation before, while its keys are being removed
  <root><incarnation>:post:<id>   string  `<static JSON>\n<counts JSON>`, see mapping.py; there while a pool has it
  <root><incarnation>:<pool>      zset    post id -> chronological score: createdAt in ms, pinned ones PIN_SCORE higher
       recent:public                      PUBLIC posts                                          newest PUBLIC_CAP
       recent:school:<id>                 PUBLIC and SCHOOL posts that carry this school        newest SCHOOL_CAP
       recent:author:<id>                 posts of this author that are not PRIVATE             newest AUTHOR_CAP
       recent:private:<id>                PRIVATE posts of this author                          newest AUTHOR_CAP
       hot:public, hot:school:<id>        same posts once somebody has engaged -> hot score     hottest HOT_CAP
  <root><incarnation>:floors      hash    pool -> highest score that its cap has made it drop
  <root><incarnation>:versions    hash    counters that only grow
       a:<author>  s:<school>             a post of theirs came, went or changed        )  a page that rests on one
       u:<user>                           whom they follow, block, what they care about )  that moved is ranked anew
       p  d:<school>  i:<user>            strangers' posts, counts, own likes: a page older than DRIFT_SECONDS is

What belongs to one viewer is made by readers and spreads over a cluster by the viewer's id:

  <STREAM_PREFIX>:feed:{<user>}:profile          string  JSON, see profile.py              PROFILE_TTL
  <STREAM_PREFIX>:feed:{<user>}:now:<mode>       string  id of the newest session          SESSION_TTL
  <STREAM_PREFIX>:feed:{<user>}:session:<id>     string  one ranked list, never changed    SESSION_TTL, FORMER_TTL

A post is one string instead of one hash, so that a ranking reads hundreds of them with one command. A hot score is
ln(engagement) + decay * age-free time: it orders posts by decayed engagement at any moment without being refreshed.
"""

from __future__ import annotations

from typing import Final

PUBLIC_CAP: Final = 1000
SCHOOL_CAP: Final = 500
AUTHOR_CAP: Final = 200
HOT_CAP: Final = 200

#: Added to the chronological score of a pinned post; above any time, small enough for exact doubles.
PIN_SCORE: Final = 10**14

SESSION_TTL: Final = 15 * 60
#: A list that has been ranked anew is kept for who is scrolling in it; after that it is made again from the cursor.
FORMER_TTL: Final = 2 * 60
PROFILE_TTL: Final = 60 * 60

#: For how long a ranked page may miss strangers' posts and new counts, which would otherwise end every page at once.
DRIFT_SECONDS: Final = 30

PUBLIC_POOL: Final = "recent:public"
HOT_PUBLIC_POOL: Final = "hot:public"


def root(prefix: str) -> str:
    """First part of all keys of the view."""
    return f"{prefix}:{{feeds}}:"


def meta(prefix: str, number: int | None = None) -> str:
    """Names the life of the view that serves, or that of a shadow."""
    return f"{root(prefix)}meta" if number is None else f"{root(prefix)}meta@{number}"


def former(meta_key: str) -> str:
    """Names the life that another has followed under `meta_key`, while its keys are being removed."""
    return f"{meta_key}:former"


def viewer_root(prefix: str, user: str) -> str:
    """First part of the keys that belong to one viewer."""
    return f"{prefix}:feed:{{{user}}}:"


def school_pool(school: str) -> str:
    """Newest posts that a school's members see because of their school, or anyway."""
    return f"recent:school:{school}"


def hot_school_pool(school: str) -> str:
    """The same posts by decayed engagement."""
    return f"hot:school:{school}"


def author_pool(author: str) -> str:
    """Newest posts of an author that others may see."""
    return f"recent:author:{author}"


def private_pool(author: str) -> str:
    """Newest posts that only their author may see."""
    return f"recent:private:{author}"
